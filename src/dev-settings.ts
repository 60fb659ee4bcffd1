import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { keyEncryptionKeys, type KeyEncryptionKeys } from './config-values.ts'
import { createFile } from './db/embedded/create-file.ts'
import type { EmbeddedDatabase } from './db/embedded/start.ts'
import { StartError } from './errors.ts'

export type DevSettings = {
  databaseUrl: string, keyEncryptionKey: KeyEncryptionKeys
  /** Where the embedded database keeps its data; null with a database of one's own. */
  embedded: { folder: string, pid: number } | null
  stop: () => Promise<void>
}

/**
 * Fills in what development may leave open: an embedded database, and a key-encryption key kept beside it. In production both
 * are required.
 * @param share use an embedded server that another process of ours is running, and leave it running
 */
export async function settle (config: Config, { share = false } = {}): Promise<DevSettings> {
  const { databaseUrl, keyEncryptionKey, dataDir } = config
  const embedded = databaseUrl === undefined ? await openEmbedded(dataDir, share) : null
  try {
    return {
      databaseUrl: databaseUrl ?? embedded!.url,
      keyEncryptionKey: keyEncryptionKey ?? await keptKey(embedded?.folder ?? dataDir),
      embedded: embedded && { folder: embedded.folder, pid: embedded.pid },
      stop: async () => { await embedded?.stop() },
    }
  } catch (error) {
    await embedded?.stop()
    throw error
  }
}

async function openEmbedded (dataDir: string, share: boolean): Promise<EmbeddedDatabase> {
  const { shareEmbedded, startEmbedded } = await import('./db/embedded/start.ts')
  return (share ? await shareEmbedded(dataDir) : null) ?? await startEmbedded(dataDir)
}

/** Beside the database whose keys it seals: they live and go together. */
async function keptKey (folder: string): Promise<KeyEncryptionKeys> {
  const file = join(folder, 'key-encryption-key')
  await mkdir(folder, { recursive: true })
  await createFile(file, `dev:${randomBytes(32).toString('base64')}\n`, 0o600)
    .catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error })
  const result = keyEncryptionKeys((await readFile(file, 'utf8')).trim())
  if ('fault' in result) throw new StartError(`The key-encryption key in ${file} ${result.fault}.`)
  return result.value
}
