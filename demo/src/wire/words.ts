// Values of a document and of awareness as short words.

const textLengthMax = 48

/** A text in quotation marks on one line, cut with its length said. */
export function quoted(text: string): string {
  const shown = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text
  const line = shown.replaceAll('\n', '⏎').replaceAll('\t', '⇥')
  return `"${line}"${text.length > textLengthMax ? ` (${counted(text.length, 'character')})` : ''}`
}

/** Any JSON value, cut. */
export function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text
}

export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`
}

/** Bytes as people say them. */
export function sizeWords(bytes: number): string {
  if (bytes < 10_000) return `${bytes.toLocaleString('en')} B`
  return bytes < 10_000_000 ? `${Math.round(bytes / 1000)} KB` : `${Math.round(bytes / 1_000_000)} MB`
}
