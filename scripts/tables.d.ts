/** Types of tables.js for the tests that check its work: what it reads of the tables in src/. */
import type { z } from 'zod'
import type { Metrics } from '../src/base/metrics.ts'

export type TableName = 'faults' | 'settings' | 'limits' | 'files' | 'options' | 'metrics' | 'http'

type Fault = { readonly closeCode: number; readonly httpStatus: number; readonly publicReason: string }

type Setting = {
  readonly value: string
  readonly env: string | null
  readonly fallback: string | readonly string[]
  readonly help: string
}

export type TableParts<Name extends string> = {
  readonly faults: { readonly [code: string]: Fault }
  readonly settings: { readonly [name in Name]: Setting }
  readonly flagOf: (name: Name) => string
  readonly variableOf: (name: Name) => string
  readonly defaultLimits: { readonly [name: string]: number }
  readonly sources: readonly { readonly path: string; readonly text: string }[]
  readonly shapes: { readonly [name: string]: { readonly [option: string]: z.ZodType } }
  readonly kindOf: (schema: z.ZodType) => string
  /** What a Prometheus server is told of everything that may be counted. */
  readonly exposed: string
  /** The OpenAPI description. */
  readonly api: unknown
}

export declare const tableHomes: { readonly [name in TableName]: string }
export declare function renderTables<Name extends string>(
  parts: TableParts<Name>
): { readonly [name in TableName]: string }
export declare function exposedMetrics(createMetrics: () => Metrics): Promise<string>
export declare function fillTables(text: string, tables: { readonly [name: string]: string }): string
