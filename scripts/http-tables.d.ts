import type { Server, ServerOptions } from '../src/index.ts'

export declare function describedApi(createServer: (options: ServerOptions) => Server): Promise<unknown>
