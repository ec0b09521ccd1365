import type { ProcuraError } from '../../errors.js'
import { isObject, type JsonObject } from '../../json.js'
import { checkTemplate, resolveTemplate, type Construct, type Environment, type Path } from './agent-template.js'
import { inspectYaml, readText, type YamlFile } from './yaml-file.js'

/** A configuration file in Veramo's template syntax whose form is sound. Nothing in it was loaded or made yet. */
export interface AgentFile extends Pick<YamlFile, 'locate' | 'invalid'> {
  readonly name: string
  /** as it is written */
  readonly content: JsonObject
  /** every `$require` of the file, used or not */
  readonly requirements: readonly { readonly at: Path; readonly required: string }[]
  /**
   * The value at the path with `$env`, `$ref` and `$require` put in. What several `$ref` name is made once and shared.
   *
   * @param construct - without it only plain values may stand there
   * @throws CONFIG_INVALID - nothing stands there, a `$ref` leads back to itself, a `$require` where none may stand;
   *   and whatever `construct` throws
   */
  resolve(path: Path, construct?: Construct): Promise<unknown>
}

/**
 * Reads an agent file: YAML 1.2 without anchors, tags and directives, in Veramo's template syntax.
 *
 * The form of all of it is checked at once, also of parts nobody uses: members that start with `$`, what each `$ref`
 * and `$env` names, and that no secret everybody knows stands in it.
 *
 * @param path - as messages will name the file
 * @param env - what `$env` may name; an empty variable counts as missing
 * @throws CONFIG_INVALID
 * @see https://veramo.io/docs/veramo_agent/configuration_internals
 */
export async function readAgentFile(path: string, env: Environment): Promise<AgentFile> {
  const { file, problems } = inspectAgentFile(path, await readText(path), env)
  const [problem] = problems
  if (problem !== undefined) throw problem
  return file
}

/** An agent file, and CONFIG_INVALID for each place whose form is wrong. A file that cannot be read at all is empty. */
export interface Inspected {
  readonly file: AgentFile
  readonly problems: readonly ProcuraError[]
}

/**
 * Reads the text of an agent file as {@link readAgentFile} does, and finds everything that is wrong with its form.
 *
 * @param path - as messages will name the file
 */
export function inspectAgentFile(path: string, text: string, env: Environment): Inspected {
  const { value, locate, invalid, problems } = inspectYaml(path, text)
  const own: ProcuraError[] = []
  const content = isObject(value) ? value : {}
  if (problems.length === 0) {
    if (!isObject(value)) own.push(invalid([], 'is not a map of sections; start from the agent.yml of the package'))
    else if (value['version'] !== 3) {
      own.push(invalid(['version'], 'is not 3.0, the only version of the syntax known here'))
    }
  }
  const source = { content, env, invalid }
  const { requirements, problems: more } = checkTemplate(source)
  const file: AgentFile = {
    name: path,
    content,
    requirements,
    locate,
    invalid,
    resolve: (at, construct) => resolveTemplate(at, source, construct),
  }
  return { file, problems: [...problems, ...own, ...more] }
}
