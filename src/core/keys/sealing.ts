import type { KeyEncryptionKeys } from '../../config-values.ts'
import { StartError } from '../../errors.ts'
import { seal, unseal } from '../../lib/seal.ts'
import type { KeyUse } from './schedule.ts'

type Place = { use: KeyUse, slot: number, rev: number, kid: string, alg: string }

/** Authenticated with the seal: rows of signing_key cannot be swapped, renamed or given another algorithm. */
const placeOf = ({ use, slot, rev, kid, alg }: Place): string => [use, slot, rev, kid, alg].join('|')

export function sealKey (keks: KeyEncryptionKeys, place: Place, secret: Buffer): { sealed: Buffer, kekId: string } {
  const [[kekId, kek]] = keks as unknown as [[string, Buffer]]
  return { sealed: seal(kek, secret, placeOf(place)), kekId }
}

export function unsealKey (keks: KeyEncryptionKeys, row: Place & { private_enc: Uint8Array, kek_id: string }): Buffer {
  const kek = keks.get(row.kek_id)
  if (!kek) throw new StartError(`The signing keys in this database are sealed under the key-encryption key "${row.kek_id}", which KEY_ENCRYPTION_KEY does not contain.`)
  try {
    return unseal(kek, Buffer.from(row.private_enc), placeOf(row))
  } catch (error) {
    throw new StartError(`KEY_ENCRYPTION_KEY has another "${row.kek_id}" than the one that sealed the signing keys in this database.`, { cause: error })
  }
}
