/** Nest and Chorus on one port: clients connect to ws://localhost:3000/collab. */
import 'reflect-metadata'
import { Module } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ChorusService } from './chorus.service'
import { NotesController } from './notes.controller'

@Module({ controllers: [NotesController], providers: [ChorusService] })
class AppModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })
  // Else nobody calls onApplicationShutdown.
  app.enableShutdownHooks()
  await app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1')
  console.log(`listening on ${await app.getUrl()}`)
}

main().catch((error: unknown) => {
  console.error(error)
  process.exit(1)
})
