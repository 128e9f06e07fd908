/** Names one state of a document for good: the life it is in, and its last record. */
export function versionOf({
  incarnation,
  head
}: {
  readonly incarnation: string | null
  readonly head: number
}): string {
  return `${incarnation ?? ''}.${head}`
}
