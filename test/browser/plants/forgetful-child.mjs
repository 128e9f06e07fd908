// Planted by test/browser/chaos.test.ts through NODE_OPTIONS: a child server of the Chaos page that keeps its documents
// in memory only, and forgets them when it is killed. The server beside it is left alone.
const at = process.argv.indexOf('--data')
if (process.argv[at + 1]?.includes('chorus-chaos-')) process.argv[at + 1] = ':memory:'
