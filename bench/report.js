export function writeReport() {
  return ''
}
