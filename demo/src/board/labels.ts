// The labels a card can carry. The text is dark on the light colour in both themes.

export const labels = [
  { id: 'urgent', name: 'Urgent', color: '#ffb3b3' },
  { id: 'bug', name: 'Bug', color: '#ffc98f' },
  { id: 'idea', name: 'Idea', color: '#f6e27a' },
  { id: 'design', name: 'Design', color: '#b7e3a1' },
  { id: 'docs', name: 'Docs', color: '#a5d8ff' },
  { id: 'question', name: 'Question', color: '#d9c4ff' }
] as const

export type LabelId = (typeof labels)[number]['id']
