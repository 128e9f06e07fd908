import { Controller, Get, Inject, Param, Post } from '@nestjs/common'
import * as Y from 'yjs'
import { ChorusService } from './chorus.service'

@Controller('notes')
export class NotesController {
  constructor(@Inject(ChorusService) private readonly chorus: ChorusService) {}

  @Get(':name')
  async read(@Param('name') name: string): Promise<unknown> {
    const doc = new Y.Doc()
    const update = await this.chorus.server.read(name)
    if (update !== null) Y.applyUpdate(doc, update)
    return { body: doc.getText('body').toString(), reviews: doc.getArray('reviews').toJSON() }
  }

  /** The yjs of this application is the one that Chorus has, as both are required. */
  @Post(':name/reviews')
  async review(@Param('name') name: string): Promise<void> {
    await this.chorus.server.change(name, doc => {
      doc.getArray('reviews').push([new Y.Map([['by', 'Nest']])])
    })
  }
}
