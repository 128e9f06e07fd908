/** Types of tables.js for the test that checks its work. */
import type { flagOf, settings, variableOf } from '../src/config.ts'
import type { faults } from '../src/errors.ts'
import type { defaultLimits } from '../src/limits.ts'

export type TableName = 'faults' | 'settings' | 'limits'

export type TableParts = {
  readonly faults: typeof faults
  readonly settings: typeof settings
  readonly flagOf: typeof flagOf
  readonly variableOf: typeof variableOf
  readonly defaultLimits: typeof defaultLimits
  readonly limitsSource: string
}

export declare const tableHomes: { readonly [name in TableName]: string }
export declare function renderTables(parts: TableParts): { readonly [name in TableName]: string }
export declare function fillTables(text: string, tables: { readonly [name: string]: string }): string
