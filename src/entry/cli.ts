#!/usr/bin/env node
import { terminal } from '../adapters/cli/terminal.js'
import { runCommand } from './program.js'

process.exitCode = await runCommand(process.argv.slice(2), { terminal, environment: process.env })
