export type GalleryPage = {
  readonly id: string
  /** What the navigation calls it. */
  readonly name: string
  readonly title: string
  readonly description: string
}

export declare const pages: readonly GalleryPage[]
