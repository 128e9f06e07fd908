// The board page: lists and cards that two people move.
import '../board.css'
import '../card-panel.css'
import { mountBoard } from '../board/board.ts'
import { boardContent } from '../board/model.ts'
import { isBoardUntouched, writeStarterBoard } from '../board/starter.ts'
import { openPage } from '../shell.ts'

openPage({
  contentOf: boardContent,
  seed: { isUntouched: isBoardUntouched, write: writeStarterBoard },
  mount: mountBoard
})
