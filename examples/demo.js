// The story of the README over real HTTP: `npm run demo`. Exits 1 if any step went other than expected.
import { createHash } from 'node:crypto'
import { GPU, ML, openStage, TRAVEL } from './demo/stage.js'
import { delegateAnyway, presentAnyway, send } from './demo/rogue.js'

/** @import { WalletAgent } from 'procura/wallet' */

const started = Date.now()
let steps = 0
let surprises = 0
/** @type {Map<string, string>} */
const names = new Map()

/** One line of the story: who tried what, and what came of it. @param {string} who @param {string} what @param {string} got @param {string} expected */
function say(who, what, got, expected) {
  steps += 1
  const asExpected = got === expected
  if (!asExpected) surprises += 1
  const mark = asExpected ? (got.startsWith('allowed') || got === 'done' ? '✓' : '✗') : `expected ${expected}, but`
  console.log(`  ${who.padEnd(14)} ${what.padEnd(58)} ${mark} ${got}`)
}

/** @param {string} title */
const act = title => console.log(`\n${title}`)

const stage = await openStage()
try {
  await story()
} finally {
  await stage.close()
}
const seconds = ((Date.now() - started) / 1000).toFixed(1)
console.log(`\n${steps} steps, ${steps - surprises} as expected, ${surprises} not, in ${seconds} s`)
process.exitCode = surprises === 0 ? 0 : 1

async function story() {
  act('1. A company, a person, an orchestrator: each with its own DID, key and database')
  const mission = createHash('sha256').update('Retrain the churn model on the October features.').digest('base64url')
  const alice = await (await stage.wallet('alice.db')).agent('alice')
  names.set(alice.did, 'alice')
  const grants = [
    {
      resource: `${ML}/**`,
      actions: ['read:features', 'write:model-registry', 'read:test-data', 'write:eval-reports'],
    },
    { resource: `${ML}/staging/**`, actions: ['deploy:staging'], perCall: true },
    { resource: `${GPU}/clusters/**`, actions: ['provision:gpu'], args: { hours: range(0, 24) } },
    { resource: `${TRAVEL}/bookings/**`, actions: ['book'], args: { amount: range(0, 200_000), currency: eq('USD') } },
  ]
  await stage.issuer.register({ kind: 'person', did: alice.did, name: 'alice' })
  say('acme', 'registers Alice: nobody else gets authority here', 'done', 'done')
  const root = await stage.issuer.grant({
    to: alice.did,
    ttl: 3600,
    authority: { more: 3, audience: [ML, GPU, TRAVEL], onBehalfOf: alice.did, purpose: { s256: mission }, grants },
  })
  await alice.receive(root.credential)
  say('acme', 'grants Alice a root capability over the ML platform', 'done', 'done')

  const orchestrator = await agent('orchestrator', 'orchestrator.db')
  const given = await alice.delegate({
    to: orchestrator.did,
    grants: grants.slice(0, 3),
    ttl: 1800,
    more: 2,
    audience: [ML, GPU],
  })
  await orchestrator.receive(given.chain)
  say('alice', 'delegates the mission to the orchestrator for 30 minutes', 'done', 'done')

  act('2. The orchestrator spawns sub-agents and hands each only what it needs')
  const data = await spawn('data', [grant('/features/**', 'read:features')])
  const training = await spawn('training', [grant('/models/**', 'write:model-registry')], 1)
  const evaluation = await spawn('evaluation', [
    grant('/test-data/**', 'read:test-data'),
    grant('/reports/**', 'write:eval-reports'),
  ])
  const deploy = await spawn('deploy', [{ ...grant('/staging/**', 'deploy:staging'), perCall: true }])
  const hours = { unit: '#gpuHours', decimals: 0, max: 8, meter: 'hours' }
  const gpu = { resource: `${GPU}/clusters/**`, actions: ['provision:gpu'], args: { hours: range(0, 8) } }
  await training.receive(
    (await orchestrator.delegate({ to: training.did, grants: [gpu], budgets: [hours], audience: [GPU], ttl: 300 }))
      .chain,
  )
  say('orchestrator', 'delegates 8 GPU hours at Borealis to training', 'done', 'done')

  act('3. Each does its job; every answer names the chain back to Alice')
  await call(data, 'read:features', `${ML}/features/october`, { rows: 1000 })
  await call(training, 'write:model-registry', `${ML}/models/churn`, { version: 7 })
  await call(evaluation, 'read:test-data', `${ML}/test-data/holdout`, {})
  await call(evaluation, 'write:eval-reports', `${ML}/reports/churn-7`, { auc: 'improved' })
  act('   Borealis, another organisation, decides alone: it knows one root key and asks Acme for nothing but status')
  await call(training, 'provision:gpu', `${GPU}/clusters/a100`, { hours: 5 })
  await call(training, 'provision:gpu', `${GPU}/clusters/a100`, { hours: 5 }, 'BUDGET_EXHAUSTED')
  act('   A deployment needs a person each time')
  const release = { version: 7 }
  const required = await call(deploy, 'deploy:staging', `${ML}/staging/churn`, release, 'APPROVAL_REQUIRED')
  const approval = await alice.approve(required.approval, 'demo')
  say('alice', 'reads what will run, and approves exactly that', 'done', 'done')
  await call(deploy, 'deploy:staging', `${ML}/staging/churn`, { version: 8 }, 'APPROVAL_INVALID', approval)
  await call(deploy, 'deploy:staging', `${ML}/staging/churn`, release, 'allowed', approval)
  await call(deploy, 'deploy:staging', `${ML}/staging/churn`, release, 'PRESENTATION_REPLAYED', approval)

  act('4. What must not work')
  const overreach = {
    purpose: mission,
    audience: ML,
    url: `${ML}/models/churn`,
    action: 'write:model-registry',
    params: { version: 8 },
  }
  await refused('data', 'its own wallet will not sign write:model-registry', 'DENIED_RESOURCE', () =>
    data.present({ method: 'POST', bodyDigest: null, resource: overreach.url, ...overreach }),
  )
  const [features] = await data.held()
  const forced = await presentAnyway(data, features?.chain ?? [], overreach)
  await sent('data', 'compromised, signs it all the same', 'DENIED_RESOURCE', forced, overreach.url, overreach.params)

  const wide = [{ resource: `${ML}/**`, actions: ['write:model-registry', 'deploy:staging'] }]
  const helper = await agent('helper')
  await refused('training', 'its wallet will not delegate more than it holds', 'WIDENED_RESOURCE', () =>
    training.delegate({ to: helper.did, grants: wide, ttl: 60, audience: [ML] }),
  )
  const heldByTraining = await training.held()
  const models = heldByTraining.find(({ authority }) => authority.audience.includes(ML))
  const relaxed = models === undefined ? [] : await delegateAnyway(training, models, helper, wide)
  const staging = {
    purpose: mission,
    audience: ML,
    url: `${ML}/staging/churn`,
    action: 'deploy:staging',
    params: { version: 8 },
  }
  const widened = await presentAnyway(helper, relaxed, staging)
  await sent(
    'training',
    'compromised, hands its helper a wider delegation',
    'WIDENED_RESOURCE',
    widened,
    staging.url,
    staging.params,
  )

  const rows = { rows: 1 }
  const good = { purpose: mission, audience: ML, url: `${ML}/features/october`, action: 'read:features', params: rows }
  const once = await data.present({ method: 'POST', bodyDigest: digest(rows), resource: good.url, ...good })
  await sent('data', 'reads features once more', 'allowed', once, good.url, rows)
  await sent('mallory', 'replays that presentation', 'PRESENTATION_REPLAYED', once, good.url, rows)
  const mallory = await agent('mallory')
  const stolen = await presentAnyway(mallory, features?.chain ?? [], good)
  await sent('mallory', "presents data's stolen chain with her own key", 'SIGNATURE_INVALID', stolen, good.url, rows)

  act('5. A second act: the scope fits, the booking does not')
  const travel = await agent('travel')
  const booking = {
    resource: `${TRAVEL}/bookings/**`,
    actions: ['book'],
    args: { amount: range(0, 200_000), currency: eq('USD') },
  }
  await travel.receive(
    (await alice.delegate({ to: travel.did, grants: [booking], audience: [TRAVEL], ttl: 300 })).chain,
  )
  await call(travel, 'book', `${TRAVEL}/bookings/SYD-1`, { amount: 32_000, currency: 'USD' })
  const dear = {
    purpose: mission,
    audience: TRAVEL,
    url: `${TRAVEL}/bookings/SYD-2`,
    action: 'book',
    params: { amount: 900_000, currency: 'USD' },
  }
  const [trip] = await travel.held()
  const tooMuch = await presentAnyway(travel, trip?.chain ?? [], dear)
  await sent('travel', 'tries to book for 9 000.00 USD', 'DENIED_ARG', tooMuch, dear.url, dear.params)

  act("6. Alice takes the orchestrator's delegation back: one bit, and the whole subtree ends")
  const from = performance.now()
  await alice.revoke(given.digest)
  say('alice', 'revokes the orchestrator', 'done', 'done')
  await call(data, 'read:features', `${ML}/features/october`, { rows: 1 }, 'STATUS_REVOKED')
  const here = performance.now() - from
  await call(training, 'provision:gpu', `${GPU}/clusters/a100`, { hours: 1 }, 'STATUS_REVOKED')
  const there = performance.now() - from
  console.log(
    `  ${''.padEnd(14)} first denial ${here.toFixed(0)} ms after the call to revoke at Acme, ${there.toFixed(0)} ms at Borealis`,
  )
  if (there > 1000) surprises += 1
  await call(training, 'write:model-registry', `${ML}/models/churn`, { version: 8 }, 'STATUS_REVOKED')
  await call(evaluation, 'read:test-data', `${ML}/test-data/holdout`, {}, 'STATUS_REVOKED')
  await call(deploy, 'deploy:staging', `${ML}/staging/churn`, { version: 7 }, 'STATUS_REVOKED')
  await call(travel, 'book', `${TRAVEL}/bookings/SYD-3`, { amount: 1_000, currency: 'USD' })

  /** @param {string} name @param {readonly import('procura').GrantJson[]} grants @param {number} more */
  async function spawn(name, grants, more = 0) {
    const child = await agent(name)
    const delegation = await orchestrator.delegate({
      to: child.did,
      grants,
      audience: [ML],
      ttl: 300,
      more,
    })
    await child.receive(delegation.chain)
    const what = delegation.authority.grants.flatMap(one => one.actions).join(', ')
    say('orchestrator', `delegates ${what} to ${name}`, 'done', 'done')
    return child
  }
}

/** An agent in a wallet of its own. @param {string} name @param {string} [file] */
async function agent(name, file) {
  const made = await (await stage.wallet(file)).createAgent({ name })
  names.set(made.did, name)
  return made
}

/** @param {WalletAgent} who @param {string} action @param {string} url @param {import('procura').JsonObject} params @param {string} expected @param {string} [approval] */
async function call(who, action, url, params, expected = 'allowed', approval) {
  const request = { method: 'POST', body: params, authority: { action, params } }
  const response = await who.fetch(url, approval === undefined ? request : { ...request, approval })
  return answered(nameOf(who.did), `${action} ${new URL(url).pathname}`, response, url, expected)
}

/** @param {string} who @param {string} what @param {string} expected @param {string} token @param {string} url @param {object} params */
async function sent(who, what, expected, token, url, params) {
  const address = stage.connect[new URL(url).origin] ?? ''
  await answered(who, what, await send(address, url, token, params), url, expected)
}

/** @param {string} who @param {string} what @param {Response} response @param {string} url @param {string} expected */
async function answered(who, what, response, url, expected) {
  const body = /** @type {{ code?: string, approval: import('procura/wallet').ApprovalRequest }} */ (
    await response.json()
  )
  const decision = stage.log.get(new URL(url).origin)
  const code = decision?.allow === true ? 'allowed' : (decision?.code ?? `status ${response.status}`)
  say(who, what, response.ok ? 'allowed' : code, expected)
  if (response.ok) console.log(`  ${''.padEnd(14)}   ${['acme', ...(decision?.path ?? []).map(nameOf)].join(' → ')}`)
  else if (body.code === undefined)
    console.log(`  ${''.padEnd(14)}   (the caller learns only ${response.status}; the code stands in the server's log)`)
  return body
}

/** @param {string} who @param {string} what @param {string} expected @param {() => Promise<unknown>} attempt */
async function refused(who, what, expected, attempt) {
  const got = await attempt().then(
    () => 'allowed',
    (/** @type {unknown} */ error) => String(/** @type {{ code?: string }} */ (error).code),
  )
  say(who, what, got, expected)
}

/** @param {string} did */
function nameOf(did) {
  return names.get(did) ?? did
}

/** @param {string} path @param {string} action @returns {import('procura').GrantJson} */
function grant(path, action) {
  return { resource: `${ML}${path}`, actions: [action] }
}

/** @param {number} min @param {number} max */
function range(min, max) {
  return /** @type {const} */ ({ op: 'range', min, max, req: true })
}

/** @param {string} value */
function eq(value) {
  return /** @type {const} */ ({ op: 'eq', value, req: true })
}

/** @param {object} params */
function digest(params) {
  return createHash('sha256').update(JSON.stringify(params)).digest('base64url')
}
