import { Entities, migrations } from '@veramo/data-store'
import { AnswerTable } from './answer-entities.js'
import { ENTITIES } from './entities.js'
import { WALLET_ENTITIES } from './holding-entities.js'
import { HostedKeyTable } from './hosted-entities.js'
import { KEY_ENTITIES } from './key-entities.js'
import { MIGRATIONS } from './migrations.js'
import { OUTBOX_ENTITIES } from './outbox-entities.js'
import { STATE_ENTITIES } from './state-entities.js'
import { STATUS_ENTITIES } from './status-entities.js'
import { SUBJECT_ENTITIES } from './subject-entities.js'

/** All tables of a data source, Veramo's and ours, and what makes them. */
export const SCHEMA = {
  entities: [
    ...Entities,
    ...ENTITIES,
    ...STATE_ENTITIES,
    ...KEY_ENTITIES,
    ...OUTBOX_ENTITIES,
    ...SUBJECT_ENTITIES,
    ...STATUS_ENTITIES,
    ...WALLET_ENTITIES,
    HostedKeyTable,
    AnswerTable,
  ],
  migrations: [...migrations, ...MIGRATIONS],
}
