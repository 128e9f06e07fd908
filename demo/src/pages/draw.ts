// The drawing page: one canvas for everybody.
import '../draw.css'
import { mountCanvas } from '../draw/draw.ts'
import { canvasContent } from '../draw/model.ts'
import { openPage } from '../shell.ts'

openPage({ contentOf: canvasContent, mount: mountCanvas })
