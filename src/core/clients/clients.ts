import type { Db } from '../../db/client.ts'
import { isUuid, uuidv7Time } from '../../lib/ids.ts'
import type { Log } from '../../log.ts'
import { startLoop } from '../loop.ts'
import { assertionKeysOf, type AssertionKey } from './jwks.ts'
import { loadClients, type ClientRow } from './store.ts'

export type Client = { id: string, name: string, scopes: readonly string[], secretDigest: Uint8Array | null, keys: ReadonlyMap<string, AssertionKey> }

const READ_EVERY_MS = 60_000
const RETRY_AFTER_MS = 5_000
const UNKNOWN_ID_COOLDOWN_MS = 5_000
/** Longer than the statement that makes a client can take from its time to its commit, and than clocks differ. */
const MARGIN_SECONDS = 60

/** The clients of this installation: a read-only cache of the table that refreshes itself, so that a caller is known without a query. */
export class Clients {
  readonly #deps: { db: Db, log: Log }
  #clients: ReadonlyMap<string, Client> = new Map()
  #reloading: Promise<void> | undefined
  #lookingUp: Promise<void> | undefined
  /** Database time of the last load, seconds; when that began, and when an id was last looked up, on this process's monotonic clock. */
  #asOf = -Infinity
  #loadedAt = -Infinity
  #lookedUpAt = -Infinity
  #loop: { stop: () => void } | undefined

  constructor (deps: { db: Db, log: Log }) { this.#deps = deps }

  async start (): Promise<void> {
    await this.reload()
    this.#loop = startLoop(READ_EVERY_MS, () => this.reload().then(() => READ_EVERY_MS, error => {
      this.#deps.log.warn({ err: (error as Error).message }, 'clients could not be refreshed')
      return RETRY_AFTER_MS
    }))
  }

  stop (): void { this.#loop?.stop() }

  /**
   * The client of this id, after one coalesced reload when it may have been made since the last one: at most one reload in five
   * seconds, however many ids are tried. An id says when it was made, so an older one that is not here is nobody's, and costs
   * nothing. `fresh` tells "no such client" from "could not look".
   */
  async findFresh (id: string): Promise<{ client: Client | undefined, fresh: boolean }> {
    const known = this.#clients.get(id)
    if (known || !this.#mayBeNew(id)) return { client: known, fresh: true }
    const began = performance.now()
    if (began - this.#lookedUpAt >= UNKNOWN_ID_COOLDOWN_MS) {
      this.#lookedUpAt = began
      this.#lookingUp = this.#lookUp().catch(() => {})
    }
    await this.#lookingUp
    return { client: this.#clients.get(id), fresh: this.#loadedAt >= began }
  }

  /** What is being read at this moment may be from before the client was made. */
  async #lookUp (): Promise<void> {
    await this.#reloading?.catch(() => {})
    await this.reload()
  }

  #mayBeNew (id: string): boolean {
    if (!isUuid(id)) return false
    const madeAt = uuidv7Time(id) / 1000
    const now = this.#asOf + (performance.now() - this.#loadedAt) / 1000
    return madeAt > this.#asOf - MARGIN_SECONDS && madeAt < now + MARGIN_SECONDS
  }

  /** Calls that overlap share one run. */
  reload (): Promise<void> {
    this.#reloading ??= this.#load().finally(() => { this.#reloading = undefined })
    return this.#reloading
  }

  async #load (): Promise<void> {
    const startedAt = performance.now()
    const { rows, now } = await loadClients(this.#deps.db)
    this.#clients = new Map(rows.flatMap(row => {
      const client = this.#open(row)
      return client ? [[client.id, client]] : []
    }))
    this.#asOf = now
    this.#loadedAt = startedAt
  }

  /** A row that somebody broke by hand is not to keep the others out. */
  #open ({ id, name, scopes, secret_digest: secretDigest, jwks }: ClientRow): Client | null {
    try {
      if (secretDigest && secretDigest.length !== 32) throw new Error('the digest of its secret has a wrong length')
      return { id, name, scopes, secretDigest, keys: jwks ? assertionKeysOf(jwks) : new Map() }
    } catch (error) {
      this.#deps.log.error({ client: id, err: (error as Error).message }, 'a client is not usable')
      return null
    }
  }
}
