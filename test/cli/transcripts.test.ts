import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { play } from './transcript.js'

/** Every transcript, in each of the variants that its lines name. */
const runs = readdirSync(import.meta.dirname)
  .filter(name => name.endsWith('.txt'))
  .flatMap((name): (readonly [string, string])[] => {
    const lines = readFileSync(join(import.meta.dirname, name), 'utf8').matchAll(/^\[([a-z]+)\] /gm)
    const variants = [...new Set([...lines].map(([, variant = '']) => variant))]
    return (variants.length === 0 ? [''] : variants).map(variant => [name, variant] as const)
  })

test.each(runs)('%s %s', async (name, variant) => {
  await play(join(import.meta.dirname, name), variant)
})
