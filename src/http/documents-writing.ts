/** The routes that write documents: updates, new ones, copies, deletions. An answer means that it is on disk. */
import { z } from 'zod'
import { Fault, type FaultCode } from '../base/errors.ts'
import type { Documents } from '../documents/documents.ts'
import { readUpdates } from '../documents/remote-documents.ts'
import type { Asker, Askers } from './askers.ts'
import { type DocumentParts, documentPath, group, readFaults, tagHeader } from './documents.ts'
import { rootTypes } from './history-query.ts'
import { json, type Reply } from './message.ts'
import { type BytesBody, type Incoming, jsonBody, type Route, route } from './route.ts'
import { readAs, wrong } from './router.ts'
import { anyJson, document, versionText, words } from './schemas.ts'

type Parts = DocumentParts & { readonly documents: Documents; readonly askers: Askers }

const written = z.object({ document: z.string(), version: versionText })

const onDisk = {
  says: 'It is on disk. The version has it, and may have more.',
  content: { 'application/json': written },
  headers: tagHeader
}

const writeFaults: readonly FaultCode[] = [
  ...['ERR_UPDATE_MALFORMED', 'ERR_UPDATE_TOO_LARGE', 'ERR_TOO_OFTEN', 'ERR_STORE', 'ERR_LOAD'],
  ...['ERR_DOCUMENT_DAMAGED', 'ERR_DELETED', 'ERR_ROOM_RESTARTS', 'ERR_OVERLOADED', 'ERR_QUARANTINED']
] as FaultCode[]

const octets = 'application/octet-stream'
const several = 'application/vnd.y-chorus.updates'

const authorField = z
  .string()
  .min(1)
  .max(256, 'must have at most 256 characters')
  .optional()
  .meta({ description: 'In whose name, if the operator asks. A person writes in their own.' })

export function documentWriting(parts: Parts): Route[] {
  return [appending(parts), creating(parts), copying(parts), deleting(parts)]
}

function appending({ remote, limits }: Parts): Route {
  const body: BytesBody = {
    form: 'bytes',
    types: {
      [octets]: 'One Yjs update (V1).',
      [several]: 'Several, each behind its length: `writeVarUint8Array` of lib0. All are taken, or none is.'
    },
    bytesMax: limits.documentBytesMax
  }
  return route({
    method: 'POST',
    path: `${documentPath}/updates`,
    id: 'writeUpdates',
    group,
    says: 'Writes updates to a document, which begins with them if it is not there.',
    who: 'write',
    parameters: { document },
    query: { author: authorField },
    body,
    answers: { 200: onDisk },
    faults: writeFaults,
    reply: async ({ parameters: { document }, query, asker, body: { type, bytes } }) => {
      const sent = await bytes()
      const updates = type === several ? readSeveral(sent, limits.requestUpdatesMax) : [sent]
      return answer(200, document, await remote.write(document, updates, userOf(asker, query.author)))
    }
  })
}

function readSeveral(bytes: Uint8Array, updatesMax: number): readonly Uint8Array[] {
  try {
    return readUpdates(bytes, { updatesMax })
  } catch {
    throw wrong(`the body must be 1 to ${updatesMax} updates, each behind its length`)
  }
}

function creating({ remote, limits }: Parts): Route {
  const contents = z.record(z.string(), anyJson).meta({
    description:
      'Root types by their names: a string becomes a text, a list an array, an object a map, also within them. A delta becomes a ' +
      'text where `types` says `text`.'
  })
  const body: BytesBody = {
    form: 'bytes',
    types: { [octets]: 'A Yjs update (V1).', 'application/json': contents },
    bytesMax: limits.documentBytesMax
  }
  return route({
    method: 'PUT',
    path: documentPath,
    id: 'createDocument',
    group,
    says: 'Creates a document, also in the place of one that was deleted.',
    more: 'It only creates: if there is such a document the answer is 412, with the header If-None-Match or without.',
    who: 'write',
    parameters: { document },
    query: { types: rootTypes, author: authorField },
    headers: {
      'if-none-match': z.literal('*', 'must be *').optional().meta({ description: '`*`, for clarity.' })
    },
    body,
    answers: { 201: onDisk },
    faults: [...writeFaults, 'ERR_EXISTS'],
    reply: async ({
      parameters: { document },
      query: { types = null, author: named },
      asker,
      body: sent
    }) => {
      const user = userOf(asker, named)
      if (sent.type === octets) {
        return answer(201, document, await remote.create(document, [await sent.bytes()], user))
      }
      const value = readAs(contents, await small(sent, limits.jsonBytesMax))
      return answer(201, document, await remote.createFrom(document, value, { types, user }))
    }
  })
}

async function small({ bytes }: Incoming, bytesMax: number): Promise<Uint8Array> {
  const sent = await bytes()
  if (sent.length <= bytesMax) return sent
  const publicReason = `JSON from which a document is created may have ${bytesMax} bytes at most`
  throw new Fault('ERR_BODY_TOO_LARGE', publicReason, { publicReason })
}

function copying({ remote, askers }: Parts): Route {
  return route({
    method: 'POST',
    path: `${documentPath}/copy`,
    id: 'copyDocument',
    group,
    says: 'Copies a document to a name that must be free.',
    more: 'Who asks must be allowed to write the other one.',
    who: 'read',
    parameters: { document },
    body: jsonBody(z.object({ to: words('The name of the copy.', 'team/notes (copy)') })),
    answers: { 201: onDisk },
    faults: [...readFaults, ...writeFaults, 'ERR_EXISTS'],
    reply: async ({ request, parameters: { document }, body: { to } }) => {
      const asker = await askers.askerOf(request, to, 'write')
      return answer(201, to, await remote.copy(document, to, userOf(asker, undefined)))
    }
  })
}

function deleting({ documents, remote }: Parts): Route {
  return route({
    method: 'DELETE',
    path: documentPath,
    id: 'deleteDocument',
    group,
    says: 'Deletes a document; its clients are closed with 4404.',
    more:
      'From then on it is answered with 410, and clients that have a copy cannot bring it back, until somebody creates it anew. ' +
      'With `purge` nothing is remembered of it, also of one that was deleted before.',
    who: 'operator',
    parameters: { document },
    query: {
      purge: z
        .enum(['', 'true'], 'must be true')
        .optional()
        .meta({ description: 'Forget that it was there.', example: 'true' })
    },
    answers: {
      200: { says: 'It is gone.', content: { 'application/json': z.object({ document: z.string() }) } }
    },
    faults: [...readFaults, 'ERR_ROOM_NAME'],
    reply: async ({ parameters: { document }, query: { purge } }): Promise<Reply> => {
      const isDeleted = await documents.delete(document, {
        copies: purge === undefined ? 'refused' : 'welcome'
      })
      if (isDeleted || purge !== undefined) return json(200, { document })
      // Says why: it was never there, or was deleted before.
      await remote.read(document, { as: 'update', vector: null })
      throw new Fault('ERR_NO_DOCUMENT')
    }
  })
}

/** In whose name it is written; null: nobody's. */
function userOf(asker: Asker | null, named: string | undefined): string | null {
  return asker === null || asker.isOperator ? (named ?? null) : asker.user
}

function answer(status: number, document: string, version: string): Reply {
  const reply = json(status, { document, version })
  return { ...reply, headers: { ...reply.headers, etag: `"${version}"` } }
}
