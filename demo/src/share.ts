// Taking a second device into the room: the link, and a QR code of it.
import { bindCopyButton } from './clipboard.ts'
import { element, find, picture } from './dom.ts'
import { isLoopback, type RoomAddress } from './room.ts'

const quietModules = 4

/** Fills the page's room bar and its QR dialog. */
export function bindShare(room: RoomAddress): void {
  find('#room-name').textContent = room.name
  bindCopyButton(find('#copy-link'), find('#copy-link-label'), () => room.shareUrl)
  const dialog = find('#qr-dialog')
  if (!(dialog instanceof HTMLDialogElement)) throw new Error('#qr-dialog is not a dialog')
  find('#open-qr').addEventListener('click', async () => {
    find('#qr-link').textContent = room.shareUrl
    find('#qr-loopback').hidden = !isLoopback()
    dialog.showModal()
    find('#qr-code').replaceChildren(await qrPicture(room.shareUrl))
  })
  closeOnBackdrop(dialog)
}

/** The backdrop belongs to the dialog: a press on it lands on the dialog itself, not on what it contains. */
export function closeOnBackdrop(dialog: HTMLDialogElement): void {
  dialog.addEventListener('pointerdown', event => {
    if (event.target === dialog) dialog.close()
  })
}

async function qrPicture(link: string): Promise<Node> {
  // Fetched when it is first asked for: few visitors do.
  const { encode } = await import('uqr')
  try {
    const { data, size } = encode(link, { ecc: 'M', border: quietModules })
    const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('')
    return picture(path, size, 'QR code of the link to this room')
  } catch {
    // More than 2331 bytes fit into no code of this level.
    return element('p', {}, 'This link is too long for a QR code; copy it instead.')
  }
}
