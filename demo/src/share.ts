// Taking a second device into the room: the link, and a QR code of it.
import { bindCopyButton } from './clipboard.ts'
import { element, find, picture } from './dom.ts'
import { encodeQr } from './qr.ts'
import { isLoopback, type RoomAddress } from './room.ts'

const quietModules = 4

/** Fills the page's room bar and its QR dialog. */
export function bindShare(room: RoomAddress): void {
  find('#room-name').textContent = room.name
  bindCopyButton(find('#copy-link'), find('#copy-link-label'), () => room.shareUrl)
  const dialog = find('#qr-dialog')
  if (!(dialog instanceof HTMLDialogElement)) throw new Error('#qr-dialog is not a dialog')
  find('#open-qr').addEventListener('click', () => {
    find('#qr-code').replaceChildren(qrPicture(room.shareUrl))
    find('#qr-link').textContent = room.shareUrl
    find('#qr-loopback').hidden = !isLoopback()
    dialog.showModal()
  })
  // The backdrop belongs to the dialog: a press on it lands on the dialog itself, not on what it contains.
  dialog.addEventListener('click', event => {
    if (event.target === dialog) dialog.close()
  })
}

function qrPicture(link: string): Node {
  const code = encodeQr(link)
  if (code === null) return element('p', {}, 'This link is too long for a QR code; copy it instead.')
  const path = code.modules
    .flatMap((row, y) =>
      row.map((dark, x) => (dark ? `M${x + quietModules} ${y + quietModules}h1v1h-1z` : ''))
    )
    .join('')
  return picture(path, code.size + 2 * quietModules, 'QR code of the link to this room')
}
