import type { Command } from 'commander'
import { manualOf } from './output.js'

/** The reference of the command line in Markdown, made from the commands as they are. */
export function referenceOf(program: Command): string {
  return program.commands.flatMap(command => sectionsOf(command, program.name(), 2)).join('\n')
}

function sectionsOf(command: Command, above: string, level: number): readonly string[] {
  const path = `${above} ${command.name()}`
  const head = [`${'#'.repeat(level)} ${path}`, '', sentence(command.description()), '']
  const manual = manualOf(command)
  if (manual === undefined) return [...head, ...command.commands.flatMap(one => sectionsOf(one, path, level + 1))]
  const { example, json } = manual
  const rows = [
    ...command.registeredArguments.map(one =>
      row(term(one.name(), one.required, one.variadic), one.description, one.defaultValue),
    ),
    ...command.options.map(({ flags, description, defaultValue, mandatory, argChoices }) => {
      const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`
      return row(flags, `${description}${choices}${mandatory ? ' (required)' : ''}`, defaultValue)
    }),
  ]
  return [
    ...head,
    '```sh',
    `procura ${example}`,
    '```',
    '',
    ...(rows.length === 0 ? [] : ['| Argument, option | |', '|---|---|', ...rows, '']),
    ...(json === undefined ? [] : [`JSON: \`${json}\``, '']),
  ]
}

function term(name: string, required: boolean, variadic: boolean): string {
  const text = `${name}${variadic ? '...' : ''}`
  return required ? `<${text}>` : `[${text}]`
}

function row(name: string, description: string, value: unknown): string {
  const otherwise = typeof value === 'string' ? ` (default: \`${value}\`)` : ''
  return `| \`${name.replaceAll('|', '\\|')}\` | ${cell(description)}${otherwise} |`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '\\<').replaceAll('*', '\\*')
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
