import { describe, expect, test } from 'vitest'
import type { CredentialDraft } from '../../src/credential/credential.js'
import type { Code } from '../../src/errors.js'
import { canonicalize, type JsonObject } from '../../src/json.js'
import { envelope } from '../../src/presentation/envelope.js'
import { fromDate } from '../../src/time.js'
import { alice, booker, forged, mallory, NOW, owner, planner, signText, type Actor } from './actors.js'
import {
  credentialAnswer,
  presentationAnswer,
  RevokedPlugin,
  stockAgent,
  stockCredential,
  stockPresentation,
} from './stock.js'
import {
  SELF,
  delegationOf,
  goodChain,
  headerOf,
  INDEX,
  present,
  presentationClaims,
  presentRaw,
  rootClaims,
  rootOf,
  signWith,
  world,
} from './world.js'

/** What was answered to a good document, and to the attack beside it. */
interface Answers {
  readonly good: string
  readonly bad: string
}

/** One row of what was measured about Veramo 7.0.1: the attack, and the code it meets here. */
interface Row {
  readonly attack: string
  readonly code: Code
  /** stock Veramo, the attack as a `jwt` */
  readonly stock: () => Promise<Answers>
  /** an agent with our provider, the attack as a `vc+jwt` or `vp+jwt` */
  readonly agent: () => Promise<Answers>
  /** the verifier itself */
  readonly decide: () => Promise<Answers>
}

const VCDM_1 = 'https://www.w3.org/2018/credentials/v1'
const VCDM_2 = 'https://www.w3.org/ns/credentials/v2'
const stock = stockAgent()

/** Stock credentials, given as strings. */
const inStock = (good: string, bad: string) => async (): Promise<Answers> => ({
  good: await credentialAnswer(stock, good),
  bad: await credentialAnswer(stock, bad),
})

/** Stock presentations by alice around a good and a bad credential. */
const aroundInStock =
  (bad: string, holder: Actor = alice) =>
  async (): Promise<Answers> => ({
    good: await presentationAnswer(stock, stockPresentation(alice, [stockCredential(owner, alice)])),
    bad: await presentationAnswer(stock, stockPresentation(holder, [bad])),
  })

type Tokens = () => Promise<readonly [good: string, bad: string]>

/** Two presentations, asked of one verifier. */
const presented = (tokens: Tokens, options: Parameters<typeof world>[0] = {}): Pick<Row, 'agent' | 'decide'> => ({
  agent: async () => {
    const ours = world(options)
    const [good, bad] = await tokens()
    return { good: await ours.presentation(good), bad: await ours.presentation(bad) }
  },
  decide: async () => {
    const ours = world(options)
    const [good, bad] = await tokens()
    return { good: await ours.decide(good), bad: await ours.decide(bad) }
  },
})

/** Two root credentials for planner: given to the agent alone, and to `decide` inside planner's presentation. */
const alone = (tokens: Tokens): Pick<Row, 'agent' | 'decide'> => ({
  agent: async () => {
    const ours = world()
    const [good, bad] = await tokens()
    return { good: await ours.credential(good), bad: await ours.credential(bad) }
  },
  decide: presented(async () => {
    const [good, bad] = await tokens()
    return [await present([good], planner), await present([bad], planner)]
  }).decide,
})

/** A root under another header. */
const withHeader = (header: JsonObject): Pick<Row, 'agent' | 'decide'> =>
  alone(async () => [await rootOf(), signWith(rootClaims(), { ...headerOf(owner), ...header }, owner)])

const withDraft = (good: Partial<CredentialDraft>, bad: Partial<CredentialDraft>): Pick<Row, 'agent' | 'decide'> =>
  alone(async () => [await rootOf(good), await rootOf(bad)])

function without(claims: JsonObject, ...names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)))
}

const EXPIRED = { iat: NOW - 9000, nbf: NOW - 9000, exp: NOW - 6000 }
const LISTED = { id: 'https://status.travel.example/sl/1#4711', type: 'StatusList2021Entry' }
const revokedVc = {
  vc: {
    '@context': [VCDM_1],
    type: ['VerifiableCredential'],
    credentialSubject: { may: 'book' },
    credentialStatus: LISTED,
  },
}
/** A VCDM 2.0 credential without JWT times; the context of 1.1 beside it is all the stock provider asks for. */
const vcdm2 = (times: object): object => ({
  vc: undefined,
  nbf: undefined,
  exp: undefined,
  '@context': [VCDM_2, VCDM_1],
  type: ['VerifiableCredential'],
  issuer: owner.did,
  credentialSubject: { id: alice.did, may: 'book' },
  ...times,
})

/** A presentation under another header. */
const presentedWith = (attack: string, code: Code, header: JsonObject): Row => ({
  attack: `a presentation ${attack}`,
  code,
  stock: async () => {
    const credential = stockCredential(owner, alice)
    return {
      good: await presentationAnswer(stock, stockPresentation(alice, [credential])),
      bad: await presentationAnswer(stock, stockPresentation(alice, [credential], {}, header)),
    }
  },
  ...presented(async () => {
    const chain = await goodChain()
    const claims = presentationClaims(chain.map(envelope))
    return [await present(chain), signWith(claims, { ...headerOf(booker, 'vp+jwt'), ...header }, booker)]
  }),
})

const rows: readonly Row[] = [
  {
    attack: 'a presentation around a forged credential',
    code: 'SIGNATURE_INVALID',
    stock: aroundInStock(forged(stockCredential(owner, alice))),
    ...presented(async () => {
      const [root, leaf] = await goodChain()
      return [await present([root, leaf]), await present([forged(root), leaf])]
    }),
  },
  {
    attack: 'a presentation around a chain whose last link is forged',
    code: 'SIGNATURE_INVALID',
    stock: aroundInStock(forged(stockCredential(owner, alice))),
    ...presented(async () => {
      const [root, leaf] = await goodChain()
      return [await present([root, leaf]), await present([root, forged(leaf)])]
    }),
  },
  {
    attack: 'a presentation around an expired credential',
    code: 'TIME_EXPIRED',
    stock: aroundInStock(stockCredential(owner, alice, EXPIRED)),
    ...presented(async () => {
      const root = await rootOf()
      const ended = await delegationOf(root, { validUntil: NOW - 1 })
      return [await present([root, await delegationOf(root)]), await present([root, ended])]
    }),
  },
  {
    attack: 'a presentation around a revoked credential',
    code: 'STATUS_REVOKED',
    stock: async () => {
      const plugin = new RevokedPlugin()
      const agent = stockAgent([], [plugin])
      const good = await presentationAnswer(agent, stockPresentation(alice, [stockCredential(owner, alice)]))
      const bad = await presentationAnswer(agent, stockPresentation(alice, [stockCredential(owner, alice, revokedVc)]))
      expect(plugin.asked).toBe(0)
      return { good, bad }
    },
    agent: async () => {
      const chain = await goodChain()
      return {
        good: await world({ revoked: [INDEX + 1] }).presentation(await present(chain)),
        bad: await world({ revoked: [INDEX] }).presentation(await present(chain)),
      }
    },
    decide: async () => {
      const chain = await goodChain()
      return {
        good: await world({ revoked: [INDEX + 1] }).decide(await present(chain)),
        bad: await world({ revoked: [INDEX] }).decide(await present(chain)),
      }
    },
  },
  {
    attack: 'a presentation by mallory around a stolen credential',
    code: 'SIGNATURE_INVALID',
    stock: aroundInStock(stockCredential(owner, alice), mallory),
    ...presented(async () => {
      const chain = await goodChain()
      return [await present(chain), await present(chain, mallory)]
    }),
  },
  {
    attack: "a presentation by mallory around a stolen credential, in the holder's name",
    code: 'SIGNATURE_INVALID',
    stock: aroundInStock(stockCredential(owner, alice), mallory),
    ...presented(async () => {
      const chain = await goodChain()
      const claims = presentationClaims(chain.map(envelope))
      return [await present(chain), signWith(claims, headerOf(booker, 'vp+jwt'), mallory)]
    }),
  },
  {
    attack: 'a revoked credential given as a string',
    code: 'STATUS_REVOKED',
    stock: async () => {
      const plugin = new RevokedPlugin()
      const agent = stockAgent([], [plugin])
      const good = await credentialAnswer(agent, stockCredential(owner, alice))
      const bad = await credentialAnswer(agent, stockCredential(owner, alice, revokedVc))
      expect(plugin.asked).toBe(0)
      return { good, bad }
    },
    agent: async () => {
      const root = await rootOf()
      return {
        good: await world({ revoked: [INDEX + 1] }).credential(root),
        bad: await world({ revoked: [INDEX] }).credential(root),
      }
    },
    decide: async () => {
      const root = await rootOf()
      return {
        good: await world({ revoked: [INDEX + 1] }).decide(await present([root], planner)),
        bad: await world({ revoked: [INDEX] }).decide(await present([root], planner)),
      }
    },
  },
  {
    attack: 'a presentation without challenge',
    code: 'PRESENTATION_NONCE',
    stock: async () => {
      const answered = stockPresentation(alice, [stockCredential(owner, alice)], { nonce: 'n-1' })
      const silent = stockPresentation(alice, [stockCredential(owner, alice)])
      return {
        good: await presentationAnswer(stock, answered, { challenge: 'n-1' }),
        bad: await presentationAnswer(stock, silent),
      }
    },
    agent: async () => {
      const ours = world({ policy: { challenge: 'always' } })
      const nonce = await ours.nonces.issue(SELF)
      const chain = await goodChain()
      return {
        good: await ours.presentation(await present(chain, booker, { nonce })),
        bad: await ours.presentation(await present(chain)),
      }
    },
    decide: async () => {
      const ours = world({ policy: { challenge: 'always' } })
      const nonce = await ours.nonces.issue(SELF)
      const chain = await goodChain()
      return {
        good: await ours.decide(await present(chain, booker, { nonce })),
        bad: await ours.decide(await present(chain)),
      }
    },
  },
  {
    attack: 'the same presentation twice',
    code: 'PRESENTATION_REPLAYED',
    stock: async () => {
      const token = stockPresentation(alice, [stockCredential(owner, alice)], { jti: 'E2UYpStZx797eYianLpd27' })
      return { good: await presentationAnswer(stock, token), bad: await presentationAnswer(stock, token) }
    },
    ...presented(async () => {
      const token = await present(await goodChain())
      return [token, token]
    }),
  },
  {
    attack: "JSON of the attacker's choice around a good token",
    code: 'SCHEMA',
    stock: async () => {
      const jwt = stockCredential(owner, alice)
      const changed = { issuer: owner.did, credentialSubject: { id: mallory.did, may: 'everything' } }
      return {
        good: await credentialAnswer(stock, { proof: { type: 'x', jwt } }),
        bad: await credentialAnswer(stock, { ...changed, proof: { type: 'x', jwt } }),
      }
    },
    agent: async () => {
      const ours = world()
      const jwt = await rootOf()
      const changed = { ...without(rootClaims({}, mallory), 'credentialStatus'), proof: { type: 'x', jwt } }
      return { good: await ours.credential(envelope(jwt)), bad: await ours.credential(changed) }
    },
    decide: presented(async () => {
      const root = await rootOf()
      const changed = { ...(envelope(root) as JsonObject), credentialSubject: { id: mallory.did } }
      return [await presentRaw([envelope(root)], planner), await presentRaw([changed], planner)]
    }).decide,
  },
  ...[200, 290].map((seconds): Row => ({
    attack: `a credential that expired ${seconds} s ago`,
    code: 'TIME_EXPIRED',
    stock: inStock(stockCredential(owner, alice), stockCredential(owner, alice, { exp: NOW - seconds })),
    ...withDraft({ validUntil: NOW + 1 }, { validUntil: NOW - seconds }),
  })),
  {
    attack: 'a credential that expires this very second',
    code: 'TIME_EXPIRED',
    stock: inStock(stockCredential(owner, alice), stockCredential(owner, alice, { exp: NOW })),
    ...withDraft({ validUntil: NOW + 1 }, { validUntil: NOW }),
  },
  {
    attack: 'a VCDM 2.0 credential with validUntil in 2020',
    code: 'TIME_EXPIRED',
    stock: inStock(
      stockCredential(owner, alice, vcdm2({ validUntil: '2030-01-01T00:00:00Z' })),
      stockCredential(owner, alice, vcdm2({ validUntil: '2020-01-01T00:00:00Z' })),
    ),
    ...withDraft(
      {},
      {
        issuedAt: fromDate('2019-12-31T23:00:00Z')!,
        validFrom: fromDate('2019-12-31T23:00:00Z')!,
        validUntil: fromDate('2020-01-01T00:00:00Z')!,
      },
    ),
  },
  {
    attack: 'a VCDM 2.0 credential with validUntil in 2020 and exp in the future',
    code: 'TIME_CONFLICT',
    stock: inStock(
      stockCredential(owner, alice, vcdm2({ validUntil: '2030-01-01T00:00:00Z' })),
      stockCredential(owner, alice, vcdm2({ validUntil: '2020-01-01T00:00:00Z', exp: NOW + 600 })),
    ),
    ...alone(async () => [
      await rootOf(),
      signWith({ ...rootClaims(), validUntil: '2020-01-01T00:00:00Z' }, headerOf(owner), owner),
    ]),
  },
  {
    attack: 'a credential with no expiry',
    code: 'TIME_FORMAT',
    stock: inStock(stockCredential(owner, alice), stockCredential(owner, alice, { exp: undefined })),
    ...alone(async () => [
      await rootOf(),
      signWith(without(rootClaims(), 'exp', 'validUntil'), headerOf(owner), owner),
    ]),
  },
  {
    attack: 'a JWS that asks for an unknown extension (crit)',
    code: 'JWS_CRIT',
    stock: inStock(stockCredential(owner, alice), stockCredential(owner, alice, {}, { crit: ['x'], x: 1 })),
    ...withHeader({ crit: ['x'], x: 1 }),
  },
  {
    attack: 'a JWS with b64: false',
    code: 'JWS_HEADER',
    stock: inStock(stockCredential(owner, alice), stockCredential(owner, alice, {}, { b64: false })),
    ...withHeader({ b64: false }),
  },
  {
    attack: "a JWS whose kid is somebody else's",
    code: 'ROOT_UNTRUSTED',
    stock: inStock(stockCredential(owner, alice), stockCredential(owner, alice, {}, { kid: mallory.kid })),
    ...withHeader({ kid: mallory.kid }),
  },
  {
    attack: "a further link whose kid is somebody else's",
    code: 'JWS_KID_MISMATCH',
    stock: aroundInStock(stockCredential(owner, alice, {}, { kid: mallory.kid })),
    ...presented(async () => {
      const [root, leaf] = await goodChain()
      const claims = JSON.parse(Buffer.from(leaf.split('.')[1]!, 'base64url').toString()) as JsonObject
      return [await present([root, leaf]), await present([root, signWith(claims, headerOf(mallory), planner)])]
    }),
  },
  ...['JWT', 'vp+jwt', 'whatever'].map((typ): Row => ({
    attack: `a credential of typ ${typ}`,
    code: 'JWS_TYP',
    stock: inStock(stockCredential(owner, alice), stockCredential(owner, alice, {}, { typ })),
    ...alone(async () => [await rootOf(), signWith(rootClaims(), { alg: 'EdDSA', kid: owner.kid, typ }, owner)]),
  })),
  presentedWith('that asks for an unknown extension (crit)', 'JWS_CRIT', { crit: ['x'], x: 1 }),
  presentedWith('with b64: false', 'JWS_HEADER', { b64: false }),
  presentedWith("whose kid is somebody else's", 'PRESENTATION_HOLDER', { kid: mallory.kid }),
  ...['JWT', 'vc+jwt', 'whatever'].map(typ => presentedWith(`of typ ${typ}`, 'JWS_TYP', { typ })),
  {
    attack: 'a presentation with a member twice',
    code: 'JSON_NOT_CANONICAL',
    stock: async () => {
      const good = stockPresentation(alice, [stockCredential(owner, alice)])
      const claims = Buffer.from(good.split('.')[1]!, 'base64url').toString()
      const twice = claims.replace('"iss":', `"iss":"${mallory.did}","iss":`)
      const bad = signText('{"alg":"EdDSA","typ":"JWT"}', twice, alice)
      return { good: await presentationAnswer(stock, good), bad: await presentationAnswer(stock, bad) }
    },
    ...presented(async () => {
      const chain = await goodChain()
      const claims = canonicalize(presentationClaims(chain.map(envelope)))
      const twice = claims.replace('"iss":', `"iss":"${mallory.did}","iss":`)
      return [await present(chain), signText(canonicalize(headerOf(booker, 'vp+jwt')), twice, booker)]
    }),
  },
  {
    attack: 'a JWS with a member twice',
    code: 'JSON_NOT_CANONICAL',
    stock: inStock(
      stockCredential(owner, alice),
      signText(
        '{"alg":"EdDSA","typ":"JWT"}',
        `{"sub":"${mallory.did}","sub":"${alice.did}","iss":"${owner.did}","vc":{"@context":["${VCDM_1}"],` +
          '"type":["VerifiableCredential"],"credentialSubject":{"may":"book"}}}',
        owner,
      ),
    ),
    ...alone(async () => {
      const twice = canonicalize(rootClaims()).replace('"sub":', `"sub":"${mallory.did}","sub":`)
      return [await rootOf(), signText(canonicalize(headerOf(owner)), twice, owner)]
    }),
  },
]

describe.each(rows)('$attack', ({ code, ...ask }) => {
  test('stock Veramo accepts it, as it accepts a good one', async () => {
    expect(await ask.stock()).toEqual({ good: 'verified', bad: 'verified' })
  })

  test(`an agent with our provider refuses it with ${code}, and accepts a good one`, async () => {
    expect(await ask.agent()).toEqual({ good: 'verified', bad: code })
  })

  test(`decide refuses it with ${code}, and accepts a good one`, async () => {
    expect(await ask.decide()).toEqual({ good: 'verified', bad: code })
  })
})

describe('stock Veramo can say no, so the rows above mean something', () => {
  const good = stockCredential(owner, alice)

  test('to a forged credential alone', async () => {
    expect(await credentialAnswer(stock, forged(good))).toBe('invalid_signature')
  })

  test('to a forged presentation', async () => {
    expect(await presentationAnswer(stock, forged(stockPresentation(alice, [good])))).toBe('invalid_signature')
  })

  test('to a wrong challenge', async () => {
    const token = stockPresentation(alice, [good], { nonce: 'n-1' })
    expect(await presentationAnswer(stock, token, { challenge: 'n-2' })).toBe('auth_error')
  })

  test('to a credential that expired 300 s ago, or 200 s ago when told to forgive nothing', async () => {
    expect(await credentialAnswer(stock, stockCredential(owner, alice, { exp: NOW - 299 }))).toBe('verified')
    expect(await credentialAnswer(stock, stockCredential(owner, alice, { exp: NOW - 300 }))).toBe('invalid_jwt')
    const late = stockCredential(owner, alice, { exp: NOW - 200 })
    expect(await credentialAnswer(stock, late, { skewTime: 0 })).toBe('invalid_jwt')
  })

  test('to a revoked credential given as an object', async () => {
    const plugin = new RevokedPlugin()
    const agent = stockAgent([], [plugin])
    const credential = { credentialStatus: LISTED, proof: { type: 'x', jwt: stockCredential(owner, alice, revokedVc) } }
    expect(await credentialAnswer(agent, credential)).toBe('revoked')
    expect(plugin.asked).toBe(1)
  })

  test('to a VCDM 2.0 credential, but only for want of the 1.1 context', async () => {
    const pure = stockCredential(owner, alice, { ...vcdm2({}), '@context': [VCDM_2] })
    expect(await credentialAnswer(stock, pure)).toBe('schema_error')
    expect(await credentialAnswer(stock, pure, { policies: { now: NOW, format: false } })).toBe('verified')
  })
})
