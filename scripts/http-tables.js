/** docs/http.md: every operation that a server describes of itself, under its heading. */

/** What a server of everything describes. */
export async function describedApi(createServer) {
  const server = createServer({
    data: ':memory:',
    pages: null,
    authorize: () => ({ user: null, access: 'none' })
  })
  const url = await server.listen()
  try {
    const response = await fetch(`${url}/api/openapi.json`)
    return await response.json()
  } finally {
    await server.stop()
  }
}

/** Markdown. `table` renders rows. */
export function httpReference({ paths, tags }, table) {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      ...operation
    }))
  )
  return tags
    .map(({ name }) => {
      const own = operations.filter(({ tags: [group] }) => group === name)
      return [`## ${name}`, ...own.map(operation => described(operation, table))].join('\n\n')
    })
    .join('\n\n')
}

function described({ method, path, summary, description, parameters, requestBody, responses }, table) {
  const given = parameters.map(({ name, in: place, description: says }) => [`\`${name}\``, place, says])
  const bodies = Object.keys(requestBody?.content ?? {}).map(type => {
    const says = requestBody.content[type].schema.description ?? 'JSON; the description has its fields.'
    return [`\`${type}\``, 'body', says]
  })
  const answers = Object.entries(responses).map(([status, { description: says }]) => [status, says])
  const asked = [...given, ...bodies]
  return [
    `### \`${method} ${path}\``,
    `${summary} ${description.replace('Who may ask: ', '\n\nWho may ask: ')}`.replaceAll(/ ?\n\n+/g, '\n\n'),
    ...(asked.length === 0 ? [] : [table(['Given', 'Where', 'What it says'], asked)]),
    table(['Status', 'What it means'], answers)
  ].join('\n\n')
}
