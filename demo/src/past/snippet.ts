// What an application switches on to have this: shown on the page, to copy.

export const pastSnippet = `import { createServer } from 'y-chorus'

const server = createServer({
  history: [{ documents: 'notes/**', days: 30 }],
  authorize: () => ({ user: { id: 'ada' }, access: 'write', history: 'restore' })
})
await server.listen()

const past = server.history('notes/party')
const changes = await past.diff({ timeMs: Date.now() - 3_600_000 }, null)
await past.restore({ timeMs: Date.now() - 3_600_000 }, { author: 'ada' })`
