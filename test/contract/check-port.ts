import { DIDStore, KeyStore } from '@veramo/data-store'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CredentialTable } from '../../src/adapters/store/entities.js'
import { AnswerTable } from '../../src/adapters/store/answer-entities.js'
import { OutboxTable } from '../../src/adapters/store/outbox-entities.js'
import { SealedKeyTable, SigningKeyTable, KeyVersionTable } from '../../src/adapters/store/key-entities.js'
import { HoldTable } from '../../src/adapters/store/state-entities.js'
import { BitTable, ListTable } from '../../src/adapters/store/status-entities.js'
import type { Store } from '../../src/adapters/store/store.js'
import { digestOf } from '../../src/encoding.js'
import { bitsOf, encodeList } from '../../src/status/bitstring.js'
import type { Subject } from '../../src/ports/register.js'
import { NOW, alice, mallory, type Backend, credentialOf, identifierOf, keyOf, leaseOf } from './store-fixtures.js'

const idOf = (name: string): string => `urn:uuid:${name}`
const subjectOf = (name: string): Subject => ({
  ...{ id: idOf(name), did: `did:web:${name}.example`, key: `key of ${name}`, kind: 'agent', name, state: 'active' },
  ...{ owner: null, agent: { autonomy: 'L1' }, registeredAt: NOW, expiresAt: null },
})

/** What every store says of itself. */
export function checkContract(backend: Backend): void {
  describe(`${backend.name}: check`, () => {
    let store: Store
    beforeAll(async () => {
      store = await backend.open(await backend.place(), 2048)
      const { dataSource } = store
      await dataSource.getRepository(KeyVersionTable).insert({ version: 1, fingerprint: 'f' })
      await new KeyStore(dataSource).importKey(keyOf('whole'))
      await new DIDStore(dataSource).importDID(identifierOf('whole'))
      await store.sealedKeys.insert({ kid: 'whole', version: 1, sealed: 'x' })
      await store.credentials.save(credentialOf('root'))
      await store.credentials.save(credentialOf('child', { parent: digestOf('head.root') }))
      const { list, indexes } = await store.statusRows.lease(leaseOf(alice, 40))
      await store.statusRows.set(list, indexes.slice(0, 3), alice, NOW)
    })
    afterAll(() => store.close())

    const digest = digestOf('head.other')
    const rows: readonly [string, (store: Store) => Promise<unknown>, (told: string) => boolean][] = [
      [
        'a key without its private key, and without a DID',
        ({ dataSource }) => new KeyStore(dataSource).importKey(keyOf('bare')),
        told => told === 'key bare has no private key' || told === 'key bare belongs to no DID',
      ],
      [
        'a private key without its key',
        ({ dataSource }) => dataSource.getRepository(SealedKeyTable).insert({ kid: 'left', version: 1, sealed: 'x' }),
        told => told === 'private key left belongs to no key',
      ],
      [
        'a DID without a key',
        ({ dataSource }) => new DIDStore(dataSource).importDID({ ...identifierOf('empty'), keys: [] }),
        told => told.startsWith('did:example:empty '),
      ],
      [
        'a credential whose parent is missing',
        ({ credentials }) => credentials.save(credentialOf('orphan', { parent: digestOf('head.gone') })),
        told => told === `credential ${digestOf('head.orphan')}: the one above is missing`,
      ],
      [
        'a credential under the digest of another',
        ({ dataSource }) =>
          dataSource.getRepository(CredentialTable).update({ digest: digestOf('head.root') }, { digest }),
        told => told.startsWith(`credential ${digest} is another`) || told.includes('the one above is missing'),
      ],
      [
        'a reservation that cannot be read',
        ({ dataSource }) => {
          const hold = { id: 'torn', state: 'open', until: NOW, facts: '{}', charges: '[{"acc' } as const
          return dataSource.getRepository(HoldTable).insert(hold)
        },
        told => told === 'reservation torn cannot be read',
      ],
      [
        'a sub-agent whose owner nobody registered',
        ({ subjects }) => subjects.add({ ...subjectOf('ownerless'), owner: 'nobody' }),
        told => told === `subject ${idOf('ownerless')}: its owner is not registered`,
      ],
      [
        'a sub-agent that outlives its owner',
        async ({ subjects }) => {
          await subjects.add(subjectOf('owner'))
          await subjects.add({ ...subjectOf('owned'), owner: idOf('owner') })
          await subjects.move(idOf('owner'), ['active'], 'retired')
        },
        told => told === `subject ${idOf('owned')} is at work though its owner was retired`,
      ],
      [
        'a bit that was never handed out',
        async ({ dataSource, statusRows }) => {
          const [list] = await dataSource.query<[{ name: string }]>('SELECT name FROM status_list')
          const all = Array.from({ length: 2048 }, (_, n) => n)
          const owners = await statusRows.ownersOf(list.name, all)
          const index = owners.indexOf(null)
          await dataSource.getRepository(BitTable).insert({ list: list.name, index, by: alice, at: NOW })
        },
        told => /^bit \d+ of list \w+ is nobody's$/.test(told),
      ],
      [
        'two credentials with one index',
        async ({ credentials, statusRows }) => {
          const { list, indexes } = await statusRows.lease(leaseOf(alice, 1))
          const status = { url: `https://id.example/v1/status/${list}`, index: indexes[0] ?? 0 }
          await credentials.save(credentialOf('twin', { issuer: alice, status }))
          await credentials.save(credentialOf('other twin', { issuer: alice, suspension: status, status: null }))
        },
        told => /^credentials uEi\S+ and uEi\S+ share index \d+ of list \w+$/.test(told),
      ],
      [
        'an index that another one leased',
        async ({ credentials, statusRows }) => {
          const { list, indexes } = await statusRows.lease(leaseOf(mallory, 1))
          const status = { url: `https://id.example/v1/status/${list}`, index: indexes[0] ?? 0 }
          await credentials.save(credentialOf('thief', { issuer: alice, status }))
        },
        told => told.startsWith(`credential ${digestOf('head.thief')} has index `) && told.endsWith('did not lease'),
      ],
      [
        'a list that says something else than its rows: a bit too many, one too few, and another version',
        async ({ dataSource }) => {
          const lists = dataSource.getRepository(ListTable)
          const [list] = await lists.find()
          const set = (await dataSource.getRepository(BitTable).findBy({ list: list!.name })).map(({ index }) => index)
          const free = Array.from({ length: 2048 }, (_, n) => n).find(n => !set.includes(n)) ?? 0
          const encodedList = encodeList(bitsOf(131_072, [...set.slice(1), free]))
          const claims = JSON.stringify({ credentialSubject: { encodedList, version: 7 } })
          const token = `head.${Buffer.from(claims).toString('base64url')}.signature`
          await lists.update({ name: list!.name }, { token, version: 6, signedChanges: list!.changes })
        },
        told =>
          /^list \w+ (was published as version 7, its row says 6|does not show that \d+ is set|shows \d+, which)/.test(
            told,
          ),
      ],
      [
        'an announcement that is gone',
        async ({ dataSource, outbox }) => {
          const said = { type: 'revoked', target: digest, status: null, version: null } as never
          await outbox.append([said, said, said], NOW)
          await dataSource.getRepository(OutboxTable).delete({ seq: 2 })
        },
        told => told === 'the feed lacks announcements: it counts 3 and has 2',
      ],
      [
        'an answer that is half there',
        ({ dataSource }) =>
          dataSource.getRepository(AnswerTable).insert({ name: 'x key', request: 'r', until: NOW, answer: '{"a' }),
        told => told === 'the answer to x key cannot be read',
      ],
      [
        'a signing key that is listed and missing',
        ({ dataSource }) =>
          dataSource.getRepository(SigningKeyTable).insert({
            ...{ kid: 'gone', did: 'did:web:id.example', listedAt: NOW, currentAt: NOW },
            ...{ retiredAt: null, droppedAt: null },
          }),
        told => told === 'signing key gone is listed and missing',
      ],
    ]

    test('finds nothing where all is well, and each thing that is broken', async () => {
      expect(await store.check()).toEqual([])
      const known = new Set<string>()
      for (const [what, breakIt, isIt] of rows) {
        await breakIt(store)
        const flaws = await store.check()
        expect(flaws.every(({ advice }) => advice.length > 10)).toBe(true)
        const told = flaws.map(flaw => flaw.what).filter(one => !known.has(one))
        expect(told.length, what).toBeGreaterThan(0)
        expect(
          told.filter(one => !isIt(one)),
          what,
        ).toEqual([])
        for (const one of told) known.add(one)
      }
    })
  })
}
