export { plants } from './plants.ts'
export { simulate } from './run.ts'
