// Runs before the first paint: a remembered theme must not flash the other one. The toggle is src/theme.ts.
try {
  const theme = localStorage.getItem('chorus.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // Storage may be forbidden; then the system's preference decides.
}
