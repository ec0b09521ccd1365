import type { Policy } from '../../src/policy/policy.js'
import type { ReceivedRequest } from '../../src/presentation/request.js'
import type { createVerifier, Shown, VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  goodChain,
  listToken,
  mallory,
  mint,
  owner,
  planner,
  policyOf,
  present,
  prove,
  REQUEST,
  SELF,
  world,
} from '../mint.js'

export interface Explained {
  readonly shown: Shown
  readonly received?: Partial<ReceivedRequest>
  readonly policy?: Policy
  readonly ports?: Partial<VerifierPorts> & { readonly list?: string }
  /** the rows of profile §6 that failed, and the code */
  readonly due: string
}

const good = async (): Promise<string> => present(booker, await goodChain())

/** One request for each row of profile §6, refused there and nowhere else. */
export const EXPLAINED: readonly [string, () => Promise<Explained>][] = [
  ['garbage', () => Promise.resolve({ shown: 'garbage', due: '1–4 JWS_FORMAT' })],
  [
    'a chain nobody uploaded',
    async () => ({ shown: { proof: await prove(booker, (await goodChain())[1].digest) }, due: '5 CHAIN_UNKNOWN' }),
  ],
  [
    'a root of nobody',
    async () => ({
      shown: await present(planner, [await mint({ signer: mallory, to: planner })]),
      due: '6 ROOT_UNTRUSTED',
    }),
  ],
  [
    'a key that its document does not list',
    async () => ({
      shown: await present(planner, [await mint({ signer: { ...owner, kid: `${owner.did}#k9` }, to: planner })]),
      due: '7 KEY_NOT_AUTHORIZED',
    }),
  ],
  [
    'a wider link',
    async () => {
      const [root] = await goodChain()
      const wide = await mint({ signer: planner, to: booker, parent: root, authority: { more: 3 } })
      return { shown: await present(booker, [root, wide]), due: '8–10 DEPTH_EXCEEDED' }
    },
  ],
  ['a thief', async () => ({ shown: await present(mallory, await goodChain()), due: '11 SIGNATURE_INVALID' })],
  [
    'another audience',
    async () => ({
      shown: await present(booker, await goodChain(), { claims: { aud: 'https://other.example' } }),
      due: '12 PRESENTATION_AUDIENCE',
    }),
  ],
  [
    'yesterday',
    async () => ({
      shown: await present(booker, await goodChain(), { claims: { iat: 1, exp: 61 } }),
      due: '13 PRESENTATION_EXPIRED',
    }),
  ],
  [
    'no nonce',
    async () => ({ shown: await good(), policy: policyOf({ challenge: 'always' }), due: '14 PRESENTATION_NONCE' }),
  ],
  ['another method', async () => ({ shown: await good(), received: { method: 'PUT' }, due: '15 REQUEST_METHOD' })],
  [
    'an action the policy does not know',
    async () => ({
      shown: await good(),
      policy: policyOf({ roots: [{ issuer: owner.did, grants: [{ resource: `${SELF}/**`, actions: ['read'] }] }] }),
      due: '16 DENIED_ACTION',
    }),
  ],
  [
    'a revoked root',
    async () => {
      const root = await mint({ signer: owner, to: planner, index: 77 })
      const chain = [root, await mint({ signer: planner, to: booker, parent: root })]
      return { shown: await present(booker, chain), ports: { list: await listToken([77]) }, due: '17 STATUS_REVOKED' }
    },
  ],
  [
    'a budget of nothing',
    async () => {
      const budgets = [{ unit: 'USD', decimals: 2, max: 1, meter: 'amount', unitArg: 'currency' }]
      return { shown: await present(booker, await goodChain({ budgets })), due: '18 BUDGET_EXHAUSTED' }
    },
  ],
]

/** Where `explain` tells another row or code than is due, or forgets a link. */
export async function mistold(create: typeof createVerifier): Promise<string[]> {
  const told = await Promise.all(
    EXPLAINED.map(async ([name, prepare]) => {
      const { shown, received = {}, policy = policyOf(), ports = {}, due } = await prepare()
      const verifier = create(policy, await world(ports))
      const { steps, links } = await verifier.explain(shown, { ...REQUEST, ...received })
      const failed = steps.filter(({ outcome }) => outcome === 'failed')
      const got = failed.map(({ rows, code }) => `${rows} ${String(code)}`).join(', ')
      const isShort = typeof shown === 'string' && shown !== 'garbage' && links.length === 0
      return got === due && !isShort ? [] : [`${name}: expected ${due}, got ${got}, ${links.length} links`]
    }),
  )
  const allowed = await create(policyOf(), await world()).explain(await good(), REQUEST)
  const open = allowed.steps.filter(({ outcome }) => outcome !== 'passed').map(({ rows }) => rows)
  return [...told.flat(), ...(open.join() === '19' ? [] : [`allowed: expected 19 to be open, got ${open.join()}`])]
}
