import * as Y from 'yjs'
import { chorus } from '../../../lib/chorus.js'

export const dynamic = 'force-dynamic'

export async function GET() {
  const doc = new Y.Doc()
  const update = await chorus.read('notes')
  if (update !== null) Y.applyUpdate(doc, update)
  return new Response(doc.getText('body').toString())
}

export async function POST(request) {
  const text = await request.text()
  await chorus.change('notes', doc => doc.getText('body').insert(0, text))
  return new Response(null, { status: 204 })
}
