/** From the start of the process until it listens. */
export const scenarios = [
  {
    name: 'start',
    title: 'Start to listening, on a data directory that is there',
    servers: ['chorus', 'y-websocket', 'hocuspocus', 'hocuspocus-sqlite'],
    figure: ['listeningMs', 'ms'],
    parameters: { starts: 9 },
    quick: { starts: 3 },
    bars: [{ figure: 'listeningMs', max: 250 }],
    run: startAgain
  }
]

/** Medians: the first start of all finds cold files. */
async function startAgain(context) {
  const listeningMs = []
  const cpuMs = []
  for (let i = 0; i < context.parameters.starts; i++) {
    await context.server.stop()
    const at = performance.now()
    const server = await context.restart()
    listeningMs.push(performance.now() - at)
    cpuMs.push(server.cpuMs())
  }
  return { figures: { listeningMs: middle(listeningMs), cpuMs: middle(cpuMs) }, problems: [] }
}

function middle(values) {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]
}
