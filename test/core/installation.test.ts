import t from 'tap'
import { enterInstallation } from '../../src/core/installation/store.ts'
import { freshDatabase, sqlTo } from '../helpers/database.ts'
import { open } from '../helpers/open.ts'

const config = { keySlotSeconds: 3_600, accessTokenTtlSeconds: 600, sessionMaxSeconds: 86_400 }

t.test('the largest lifetimes ever in force stay, and a start that is refused leaves no mark', async t => {
  const url = await freshDatabase(t)
  const db = open(t, url)
  const sql = await sqlTo(t, url)
  const first = await enterInstallation({ db }, { ...config, accessTokenTtlSeconds: 3_600 })
  t.match(await enterInstallation({ db }, config), { id: first.id, maxAccessTokenSeconds: 3_600, maxSessionSeconds: 86_400 })

  const marks = async () => await sql('SELECT key_slot_seconds, max_access_token_seconds, max_session_seconds FROM installation')
  const before = await marks()
  await t.rejects(enterInstallation({ db }, { keySlotSeconds: 7_200, accessTokenTtlSeconds: 3_600, sessionMaxSeconds: 999_999 }), /KEY_SLOT_SECONDS is 7200, but this installation was started with 3600/)
  t.strictSame(await marks(), before)
})
