import type { Command } from 'commander'

/** Shells that are known. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

/** What can be typed after the words of a command: its subcommands and options, with the choices of those that have some. */
interface Node {
  /** `procura agent create` */
  readonly path: string
  readonly words: readonly (readonly [word: string, description: string])[]
}

/**
 * A script that completes command lines in a shell, made from the commands as they are.
 *
 * @param shell - one of {@link SHELLS}
 */
export function completionOf(program: Command, shell: (typeof SHELLS)[number]): string {
  const nodes = nodesOf(program, program.name())
  const choices = choicesOf(program)
  return { bash, zsh, fish }[shell](program.name(), nodes, choices)
}

type Choices = ReadonlyMap<string, readonly string[]>

function nodesOf(command: Command, path: string): readonly Node[] {
  const words = [
    ...command.commands.map(one => [one.name(), one.description()] as const),
    ...command.options.flatMap(({ short, long, description }) =>
      [short, long].filter(flag => flag !== undefined).map(flag => [flag, description] as const),
    ),
    ...command.registeredArguments.flatMap(({ argChoices = [], description }) =>
      argChoices.map(choice => [choice, description] as const),
    ),
    ['--help', 'display help for command'] as const,
  ]
  return [{ path, words }, ...command.commands.flatMap(one => nodesOf(one, `${path} ${one.name()}`))]
}

/** Values of options that have a few, by flag; several commands share them. */
function choicesOf(command: Command, found = new Map<string, readonly string[]>()): Choices {
  for (const { short, long, argChoices = [] } of command.options) {
    for (const flag of argChoices.length === 0 ? [] : [short, long]) {
      if (flag !== undefined) found.set(flag, [...new Set([...(found.get(flag) ?? []), ...argChoices])])
    }
  }
  for (const one of command.commands) choicesOf(one, found)
  return found
}

/** The words that name a command, as far as they are typed: what stands behind an option is not one of them. */
const WALK = (words: string, first: string): string => `  local at='${first}' word
  for word in ${words}; do
    case "$at $word" in
      PATHS) at="$at $word" ;;
    esac
  done`

function bash(name: string, nodes: readonly Node[], choices: Choices): string {
  return `# bash completion of ${name}: source <(${name} completion bash)
_${name}() {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  case "$before" in
${casesOf(choices)
  .map(([flags, values]) => `    ${flags}) COMPREPLY=($(compgen -W '${values}' -- "$current")); return ;;`)
  .join('\n')}
  esac
${walk(nodes, '"${COMP_WORDS[@]:1:COMP_CWORD-1}"', name)}
  case "$at" in
${nodes.map(({ path, words }) => `    '${path}') COMPREPLY=($(compgen -W '${words.map(([word]) => word).join(' ')}' -- "$current")) ;;`).join('\n')}
  esac
}
complete -o default -F _${name} ${name}`
}

function zsh(name: string, nodes: readonly Node[], choices: Choices): string {
  return `#compdef ${name}
# zsh completion of ${name}: source <(${name} completion zsh)
_${name}() {
  case "\${words[CURRENT-1]}" in
${casesOf(choices)
  .map(([flags, values]) => `    ${flags}) compadd -- ${values}; return ;;`)
  .join('\n')}
  esac
${walk(nodes, '"${words[@]:1:CURRENT-2}"', name)}
  local -a found
  case "$at" in
${nodes.map(({ path, words }) => `    '${path}') found=(${words.map(([word, text]) => quoted(`${word}:${text}`)).join(' ')}) ;;`).join('\n')}
  esac
  _describe '${name}' found || _files
}
compdef _${name} ${name}`
}

function fish(name: string, nodes: readonly Node[], choices: Choices): string {
  const lines = nodes.flatMap(({ path, words }) =>
    words.map(([word, text]) => `complete -c ${name} -n '__${name}_at "${path}"' -a '${word}' -d ${quoted(text)}`),
  )
  const valued = casesOf(choices).map(
    ([flags, values]) =>
      `complete -c ${name} -n 'contains -- (commandline -opc)[-1] ${flags.replace('|', ' ')}' -f -a '${values}'`,
  )
  return `# fish completion of ${name}: ${name} completion fish | source
function __${name}_at
  set -l at ${name}
  for word in (commandline -opc)[2..-1]
    if contains -- "$at $word" ${nodes.map(({ path }) => `'${path}'`).join(' ')}
      set at "$at $word"
    end
  end
  test "$at" = "$argv[1]"
end
${[...lines, ...valued].join('\n')}`
}

function walk(nodes: readonly Node[], words: string, first: string): string {
  return WALK(words, first).replace('PATHS', nodes.map(({ path }) => `'${path}'`).join('|'))
}

function casesOf(choices: Choices): readonly (readonly [flags: string, values: string])[] {
  const flagsOf = new Map<string, string[]>()
  for (const [flag, values] of choices) flagsOf.set(values.join(' '), [...(flagsOf.get(values.join(' ')) ?? []), flag])
  return [...flagsOf].map(([values, flags]) => [flags.join('|'), values])
}

/** In single quotes, which none of the three shells looks into. */
function quoted(text: string): string {
  return `'${text.replaceAll('\\', '').replaceAll("'", '’')}'`
}
