#!/usr/bin/env node
import { terminal } from '../adapters/cli/terminal.js'
import { runCommand } from './program.js'

// who reads what is written may stop reading, as `| head` does; what was begun is finished all the same
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
}

process.exitCode = await runCommand(process.argv.slice(2), { terminal, environment: process.env })
