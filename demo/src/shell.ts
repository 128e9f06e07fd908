// What every page does alike: two people join one room, each in a pane of its own. What is in the panes is the page's.
import './style.css'
import { find } from './dom.ts'
import { type ContentOf, linkStrip } from './link-strip.ts'
import { bindNotice } from './notice.ts'
import { createPane } from './pane.ts'
import { join, type Participant } from './participant.ts'
import { carryRoom, type RoomAddress, roomFromLocation } from './room.ts'
import { seatSwitch } from './seat-switch.ts'
import { type Seed, seedRoom } from './seed.ts'
import { bindShare } from './share.ts'
import { bindThemeButton } from './theme.ts'
import { bindWire } from './wire-toggle.ts'

export type PageContent = {
  /** What of a document the page shows, as a text to compare: equal texts are equal replicas. */
  readonly contentOf: ContentOf
  /** What a room that the gallery made up begins with. */
  readonly seed?: Seed
  /** How the panes come into the room; by y-websocket unless the page says otherwise. */
  readonly joinRoom?: typeof join
  /** Where the room is, if not at the server that sent the page, or how it is reached. */
  readonly reach?: (room: RoomAddress) => RoomAddress
  /** Fills a pane's body. */
  mount(participant: Participant, body: HTMLElement, room: RoomAddress): void
}

/** Opens the room of the address bar, or a new one, on a page made by `demo/shell.js`. */
export function openPage({ contentOf, seed, reach, joinRoom = join, mount }: PageContent): RoomAddress {
  bindThemeButton(find('#theme'))
  // On a phone the row of pages is wider than the screen.
  find('.site-nav [aria-current]').scrollIntoView({ block: 'nearest', inline: 'center' })
  const here = roomFromLocation()
  carryRoom(here)
  const room = reach === undefined ? here : reach(here)
  const left = joinRoom(room, 'left')
  const right = joinRoom(room, 'right')
  if (seed !== undefined) seedRoom(left, room, seed)
  const panes = [left, right].map(participant => {
    const pane = createPane(participant)
    mount(participant, pane.body, room)
    return pane.root
  })
  find('#strip').replaceChildren(linkStrip(left, right, contentOf))
  find('#panes').replaceChildren(seatSwitch(find('#panes'), [left, right]), ...panes)
  bindNotice(find('#notice'), room, [left, right])
  bindShare(room)
  bindWire([left, right])
  return room
}
