/** What scripts/simulate.js bundles: Node 20 runs no TypeScript. */
export { fleetPlants } from './fleet-plants.ts'
export { drawPastPlan } from './past-plan.ts'
export { ofSeveralNodes, pastPlants } from './past-plants.ts'
export { plants } from './plants.ts'
export { simulate } from './run.ts'
