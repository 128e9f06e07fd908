#!/usr/bin/env node
/**
 * Begins the command with what V8 made of its code the last time, where Node keeps that (22.8 and later; earlier ones have
 * no such function). The package has this and all that it needs in one file: docs/adr/0029-the-command-in-one-file.md.
 */
import * as nodeModule from 'node:module'

// Node's types here are those of the oldest Node.
const { enableCompileCache } = nodeModule as { enableCompileCache?: () => unknown }
enableCompileCache?.()
void import('./cli.ts')
