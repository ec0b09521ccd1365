import { Option, type Command } from 'commander'
import { withManual, type Output } from '../adapters/cli/output.js'
import {
  changeSubject,
  createSubject,
  listSubjects,
  showSubject,
  type CreateOptions,
  type SubjectWorld,
} from '../adapters/cli/subjects.js'
import { AUTONOMY } from '../credential/identity.js'
import { asAdmin } from './as-admin.js'
import type { AdminOptions } from './admin.js'
import type { Shell } from './program.js'
import { withService } from './service-options.js'

const KINDS = {
  agent: {
    all: 'agents',
    one: 'an agent',
    example:
      'agent create planner --in sqlite://data/wallet.db --operator did:web:acme.example --autonomy L2 --risk low',
  },
  person: { all: 'people', one: 'a person', example: 'person create alice --did did:key:z6Mk…' },
  organisation: {
    all: 'organisations',
    one: 'an organisation',
    example: 'organisation create Acme --did did:web:acme.example --key 11qY…',
  },
} as const
const VERBS = {
  suspend: 'suspend a subject, and what it holds',
  resume: 'take a suspended subject up again',
  retire: 'end a subject for good, with its sub-agents and all it holds',
} as const

const ROW =
  '{id, did, key, kind, name, state, owner: id | null, agent: {…} of an agent, registeredAt: seconds, expiresAt: seconds | null}'
const CREATED = '{subject: as `show`, identity: {credential: token, digest, id, validUntil: seconds} | null}'

/** Adds `agent`, `person` and `organisation` to the command line. */
export function addSubjectCommands(program: Command, { terminal, environment }: Shell): void {
  const withAdmin = (options: AdminOptions, act: (world: SubjectWorld) => Promise<void>): Promise<void> =>
    asAdmin(options, environment, admin => act({ terminal, admin, newAgent }))
  for (const [kind, { all, one, example }] of Object.entries(KINDS) as [
    keyof typeof KINDS,
    (typeof KINDS)['agent'],
  ][]) {
    const group = program.command(kind).description(`register ${all}, and their life`)
    const command = (
      name: string,
      description: string,
      example = `${kind} ${name} did:key:z6Mk…`,
      json = ROW,
    ): Command => withManual(withService(group.command(name).description(description)), { example, json })

    const create = command('create', `register ${one}: who is not registered gets no authority`, example, CREATED)
      .argument('<name>', '1 to 128 printable characters')
      .option('--in <url>', 'make its DID in this wallet: sqlite://path')
      .option('--did <did>', 'or register a DID that is there')
      .option('--key <base64url>', 'its Ed25519 key, where the DID does not contain it')
      .option('--ttl <duration>', 'the registration ends by itself after 90s, 30m, 12h')
    if (kind === 'agent') {
      create
        .requiredOption('--operator <did>', 'who answers for it')
        .addOption(
          new Option('--autonomy <level>', 'how far it acts without a person').choices(AUTONOMY).makeOptionMandatory(),
        )
        .addOption(
          new Option('--risk <risk>', 'how much harm it can do').choices(['low', 'high']).makeOptionMandatory(),
        )
    }
    create.action((name: string, options: CreateOptions & AdminOptions) =>
      withAdmin(options, world => createSubject(kind, name, options, world)),
    )
    command('list', `list ${all}`, `${kind} list --state active -o json`, `[${ROW}]`)
      .addOption(new Option('--state <state>', 'only these').choices(['active', 'suspended', 'retired']))
      .action((options: Output & AdminOptions) => withAdmin(options, world => listSubjects(kind, options, world)))
    command('show', 'show a registration')
      .argument('<did>')
      .action((did: string, options: Output & AdminOptions) =>
        withAdmin(options, world => showSubject(did, options, world)),
      )
    for (const [verb, description] of Object.entries(VERBS) as [keyof typeof VERBS, string][]) {
      command(verb, description)
        .argument('<did>')
        .action((did: string, options: Output & AdminOptions) =>
          withAdmin(options, world => changeSubject(did, verb, options, world)),
        )
    }
  }
}

async function newAgent(storage: string, name: string): ReturnType<SubjectWorld['newAgent']> {
  const { openWallet } = await import('./wallet.js')
  const wallet = await openWallet({ storage, roots: [] })
  try {
    return (await wallet.createAgent({ name })).did
  } finally {
    await wallet.close()
  }
}
