// What the document of the chaos page is made of.

/** The text that bots and people write. */
export const textName = 'chaos-text'

/** A map in which bots leave a receipt for each of their edits. */
export const receiptsName = 'chaos-receipts'
