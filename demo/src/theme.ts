// Light or dark: the system decides until the button does, and the choice is remembered (public/theme.js applies
// it before the first paint).
import { icon } from './dom.ts'
import { remember } from './storage.ts'

const sun =
  'M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7ZM10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.4M14.6 14.6 16 16M16 4l-1.4 1.4M5.4 14.6 4 16'
const moon = 'M16.5 12.2A7 7 0 0 1 7.8 3.5a7 7 0 1 0 8.7 8.7Z'

/** Makes `button` the switch between the two themes. */
export function bindThemeButton(button: HTMLElement): void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const show = () => {
    const isDark = currentTheme(system) === 'dark'
    button.setAttribute('aria-label', isDark ? 'Switch to the light theme' : 'Switch to the dark theme')
    button.replaceChildren(icon(isDark ? sun : moon))
  }
  button.addEventListener('click', () => {
    const theme = currentTheme(system) === 'dark' ? 'light' : 'dark'
    document.documentElement.dataset.theme = theme
    remember('theme', theme)
    show()
  })
  system.addEventListener('change', show)
  show()
}

function currentTheme(system: MediaQueryList): 'light' | 'dark' {
  const chosen = document.documentElement.dataset.theme
  if (chosen === 'light' || chosen === 'dark') return chosen
  return system.matches ? 'dark' : 'light'
}
