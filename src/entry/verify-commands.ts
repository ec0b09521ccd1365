import type { Command } from 'commander'
import { withManual } from '../adapters/cli/output.js'
import { withRequest } from '../adapters/cli/request-options.js'
import type { VerifyOptions } from '../adapters/cli/verify.js'
import { withPlaceOptions } from './place-options.js'
import type { Shell } from './program.js'
import type { VerifierFlags } from './verify-desk.js'

const GIVEN = 'a token, a file with one or with a chain, or - for standard input'
const STATE = 'what was used and spent: sqlite://path or postgres://…'
const POLICY = 'verify here, by the policy in this file'
const DECISION =
  '{allow, code, link, decisionId, policyVersion, at, holder, root, onBehalfOf, path: [DID], unproved, act, digests, purpose, validUntil, statusAge, identities, approvedBy, reservedUntil}, refused with {kind, detail, approval, disclose}'

/** Adds `verify` and `explain` to the command line. */
export function addVerifyCommands(program: Command, shell: Shell): void {
  const desk = () => import('./verify-desk.js')
  const common = (command: Command): Command =>
    withPlaceOptions(
      withRequest(command.argument('<token|file>', GIVEN)).option('--approval <token>', 'the approval that came along'),
    )

  withManual(
    common(program.command('verify').description('decide whether a request may happen, and use the presentation up'))
      .option('-p, --policy <file>', `${POLICY}; without it the service verifies`)
      .option('--state <url>', `with --policy: ${STATE}`)
      .option('--audit <folder>', 'with --policy: the log that decisions are put on')
      .option(
        '--secret-file <path>',
        'without --policy: the secret of the resource server (or variable PROCURA_SECRET)',
      ),
    {
      example: `verify token.txt --params '{"amount": 32000}' --secret-file api.secret`,
      json: `${DECISION}; of a chain {of, decision}`,
    },
  ).action(async (given: string, options: VerifyOptions & VerifierFlags) => {
    shell.exit(await (await desk()).verify(given, options, shell))
  })

  withManual(
    common(program.command('explain').description('say what verify would answer and why; uses nothing up'))
      .requiredOption('-p, --policy <file>', POLICY)
      .option('--state <url>', `${STATE}; without it nothing is known of earlier use`),
    {
      example: `explain token.txt --policy data/policies/example.json --params '{"amount": 32000}'`,
      json: '{of: "request" | "chain", decision: as of verify, asks, steps: [{rows, what, outcome, code, detail}], links: [{index, digest, kid, refused, verified, …}], warnings: [text]}',
    },
  ).action(async (given: string, options: VerifyOptions & VerifierFlags & { readonly policy: string }) => {
    shell.exit(await (await desk()).explain(given, options, shell))
  })
}
