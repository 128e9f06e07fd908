/** Chorus as a provider: it begins and ends with the application, on the application's port. */
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import { createServer } from 'y-chorus'

@Injectable()
export class ChorusService implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly server = createServer({ data: process.env.DATA ?? './chorus-data', path: '/collab' })

  constructor(@Inject(HttpAdapterHost) private readonly host: HttpAdapterHost) {}

  async onApplicationBootstrap(): Promise<void> {
    await this.server.attach(this.host.httpAdapter.getHttpServer())
  }

  async onApplicationShutdown(): Promise<void> {
    await this.server.stop()
  }
}
