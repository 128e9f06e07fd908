/**
 * What the package has beside the modules that tsc writes: the same modules for `require`, as `.cjs` beside the `.js` they
 * are made of, and the types of the public API alone, for both. Why so: docs/adr/0019-require-and-import.md.
 */
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { dts } from 'rolldown-plugin-dts'

const entries = {
  index: 'dist/src/index',
  persistence: 'dist/persistence/index',
  conformance: 'dist/persistence/conformance',
  bus: 'dist/bus/index',
  client: 'dist/client/index',
  'bus-conformance': 'dist/bus/conformance',
  outlets: 'dist/outlets/index',
  'outlets-conformance': 'dist/outlets/conformance'
}

const inputs = ending =>
  Object.fromEntries(Object.entries(entries).map(([name, path]) => [name, path + ending]))

/** Packages stay where they are: one copy of each in a process. */
const external = /^[^./]/

/**
 * An application that requires yjs has `yjs.cjs`, and a document of `yjs.mjs` would be a stranger to it. Other packages
 * (jose) are modules only, which Node 20 loads with `import()` alone.
 */
const requireYjs = {
  name: 'require-yjs',
  transform: {
    filter: { id: /[/\\]documents[/\\]edit\.js$/ },
    handler(code) {
      const found = "await import('yjs')"
      if (code.split(found).length !== 2) throw new Error(`edit.js has no ${found}, or several`)
      return `import { createRequire } from 'node:module'\n${code.replace(found, "createRequire(import.meta.url)('yjs')")}`
    }
  }
}

/** In one file, each module still finds what lies beside it (the worker thread, the demo) from where it was. */
const whereItWas = {
  name: 'where-it-was',
  transform: {
    filter: { code: /import\.meta\.url/ },
    handler(code, id) {
      const path = relative(fileURLToPath(new URL('dist', import.meta.url)), id).replaceAll('\\', '/')
      return code.replaceAll('import.meta.url', `new URL('./${path}', import.meta.url).href`)
    }
  }
}

/** TypeScript tells modules from CommonJS by the name of the file, so each has a copy in which the names are the other's. */
const typesForRequire = {
  name: 'types-for-require',
  generateBundle(_, bundle) {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type !== 'chunk') continue
      // The client is for browsers, where nobody has those of Node.
      if (!/^(client|react)/.test(chunk.fileName))
        chunk.code = `/// <reference types="node" />\n${chunk.code}`
      const code = chunk.code
        .replaceAll(/(from "\.[^"]*)\.js"/g, '$1.cjs"')
        // The types of yjs and what goes with it are a module's, also for those who require it.
        .replaceAll(
          /^import (\* as \w+|\{[^}]*\}) from "(yjs|lib0\/\w+|y-protocols\/\w+)"/gm,
          'import type $1 from "$2" with { "resolution-mode": "import" }'
        )
      this.emitFile({ type: 'asset', fileName: chunk.fileName.replace(/\.d\.ts$/, '.d.cts'), source: code })
    }
  }
}

export default [
  {
    input: inputs('.js'),
    platform: 'node',
    external,
    plugins: [requireYjs],
    output: {
      dir: 'dist',
      format: 'cjs',
      // Each beside its `.js`, so that what they find by a relative path (the worker thread, the demo) is there.
      preserveModules: true,
      preserveModulesRoot: 'dist',
      entryFileNames: '[name].cjs',
      dynamicImportInCjs: true
    }
  },
  {
    // The command starts several times as fast as one file: docs/adr/0029-the-command-in-one-file.md.
    input: { command: 'dist/src/command/launch.js' },
    platform: 'node',
    external,
    plugins: [whereItWas],
    output: {
      dir: 'dist',
      format: 'cjs',
      entryFileNames: '[name].cjs',
      chunkFileNames: 'command-[name].cjs',
      comments: false,
      dynamicImportInCjs: true
    }
  },
  {
    input: inputs('.d.ts'),
    external,
    plugins: [dts({ dtsInput: true, emitDtsOnly: true }), typesForRequire],
    output: { dir: 'dist/types', chunkFileNames: 'shared-[name].d.ts' }
  }
]
