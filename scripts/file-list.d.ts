/** Types of file-list.js for the tests that check its work. */
export type SourceText = { readonly path: string; readonly text: string }

export declare function readSources(): SourceText[]
export declare function renderFileList(sources: readonly SourceText[]): string
