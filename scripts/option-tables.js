/**
 * The tables of docs/options.md: the names and kinds are those of the schemas, what an option does is the comment at its
 * type.
 */

/** The calls, the type of their options, and where that stands. */
export const optionCalls = [
  { call: 'createServer(options)', shape: 'serverShape', files: ['src/options.ts', 'src/hooks/options.ts'] },
  {
    call: 'a rule of `history` of createServer',
    shape: 'historyRuleShape',
    files: ['src/history/policy.ts']
  },
  { call: 'jwt(options)', shape: 'jwtShape', files: ['src/access/jwt.ts'] },
  { call: 'webhook(options)', shape: 'webhookShape', files: ['src/access/webhook.ts'] },
  { call: 'server.read(document, options)', shape: 'readShape', files: ['src/documents/documents.ts'] },
  {
    call: 'server.apply(document, update, options) and server.change(document, mutate, options)',
    shape: 'applyShape',
    files: ['src/documents/documents.ts']
  },
  { call: 'server.delete(document, options)', shape: 'deleteShape', files: ['src/documents/documents.ts'] },
  { call: 'server.documents(options)', shape: 'listShape', files: ['src/documents/documents.ts'] },
  { call: 'server.recheck(whom)', shape: 'whomShape', files: ['src/access/revocations.ts'] },
  { call: 'server.revoke(revocation)', shape: 'revocationShape', files: ['src/access/revocations.ts'] },
  {
    call: 'server.disconnect(disconnection)',
    shape: 'disconnectionShape',
    files: ['src/access/disconnects.ts']
  }
]

/** `shapes` by name; `textOf` gives the text of a source file; `kindOf` the words for what an option may be. */
export function optionTables({ shapes, textOf, kindOf, table }) {
  const stray = Object.keys(shapes).find(name => !optionCalls.some(({ shape }) => shape === name))
  if (stray !== undefined) throw new Error(`scripts/option-tables.js does not say whose options ${stray} are`)
  return optionCalls
    .filter(({ shape }) => Object.hasOwn(shapes, shape))
    .map(({ call, shape, files }) => {
      const comments = new Map(files.flatMap(file => [...commentsOf(textOf(file))]))
      const rows = Object.entries(shapes[shape]).map(([name, schema]) => {
        const comment = comments.get(name)
        if (comment === undefined) throw new Error(`${call}: ${name} has no comment in ${files.join(' or ')}`)
        return [`\`${name}\``, kindOf(schema), comment]
      })
      return `## ${call}\n\n${table(['Option', 'What it may be', 'What it does'], rows)}`
    })
    .join('\n\n')
}

/** Each comment by the field on the line after it, which is optional or one of a union. */
function commentsOf(source) {
  const fields = source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*\n\s*(?:\| \{ )?readonly (\w+)\??:/g)
  return [...fields].map(([, text, name]) => [name, text.replaceAll(/\s*\n\s*\*?\s*/g, ' ').trim()])
}
