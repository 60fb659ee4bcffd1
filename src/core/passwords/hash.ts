import { randomBytes } from 'node:crypto'
import argon2 from 'argon2'
import { StartError } from '../../errors.ts'
import { traced } from '../../trace.ts'
import { Admission, hashConcurrency } from './admission.ts'
import { foreignCheck } from './foreign/foreign.ts'
import { parsePhc } from './phc.ts'
import { letHashesYield } from './priority.ts'

/** Who waits for a hash: the address it is counted against, and a signal that fires when the client has gone. */
export type Waiter = { bucket: string, signal?: AbortSignal | undefined }

/** While one hashes, the others read and write: hashing does not stand still until a request's statements take three times as long as its hash. */
const ENTERED_PER_HASH = 4

/** The verdict, and a new hash where the stored one has parameters of another time. */
export type Verdict = { ok: false } | { ok: true, rehash: string | null }

/**
 * The one home of argon2. Passwords are hashed in Unicode NFC (é typed on two keyboards is one letter), otherwise
 * byte for byte; they are never truncated.
 */
export class Passwords {
  readonly #options: { type: typeof argon2.argon2id, memoryCost: number, timeCost: number, parallelism: 1 }
  readonly #admission: Admission
  readonly #entry: Admission
  #dummy = ''

  constructor (settings: { argon2MemoryKib: number, argon2Passes: number, workers?: number }) {
    this.#options = { type: argon2.argon2id, memoryCost: settings.argon2MemoryKib, timeCost: settings.argon2Passes, parallelism: 1 }
    const atOnce = hashConcurrency(settings.workers ?? 1)
    const within = ENTERED_PER_HASH * atOnce
    // Who has entered is not refused any more, also where hashes are slow.
    this.#admission = new Admission(atOnce, () => Math.max(within, this.#admission.capacity))
    this.#entry = new Admission(within, () => Math.max(atOnce, this.#admission.capacity - within))
  }

  get waiting (): number { return this.#entry.waiting + this.#admission.waiting }
  /** For the metrics. */
  get queue (): Pick<Admission, 'waiting' | 'running' | 'waited' | 'took'> {
    const { waiting } = this
    const { running, took } = this.#admission
    return { waiting, running, took, waited: this.#entry.waited }
  }

  /**
   * Who comes from outside to have a password hashed waits here for a turn, before anything is read or counted for it: what is refused costs no statement, and there are
   * only ever a few that do. Who is signed in already waits for the hash alone.
   * @throws login_busy
   */
  async enter<T> ({ bucket, signal }: Waiter, work: () => Promise<T>): Promise<T> { return await this.#entry.admit(bucket, signal, work) }

  /** Hashes once with the real parameters, and verifies with small ones, as everybody waits for it: a native module that does not work here stops the start. */
  async selfTest (): Promise<void> {
    const secret = randomBytes(18).toString('base64')
    try {
      this.#dummy = await this.#hash(secret)
      const small = await argon2.hash(secret, { ...this.#options, memoryCost: 1024, timeCost: 2 })
      if (!await argon2.verify(small, secret) || await argon2.verify(small, `${secret}x`)) throw new Error('it gave a wrong answer')
      letHashesYield()
    } catch (error) {
      throw new StartError(`The password hashing module does not work on this machine: ${(error as Error).message}.`, { cause: error })
    }
  }

  /** @param salt 16 bytes that no other hash has and nobody can know before; random ones when left out */
  async hash (password: string, { bucket, signal }: Waiter, salt = randomBytes(16)): Promise<string> {
    return await traced({ name: 'hash password' }, async () => await this.#admission.admit(bucket, signal, () => this.#hash(password.normalize('NFC'), salt)))
  }

  /**
   * A missing or unreadable stored hash costs the same as a wrong password: the dummy is verified instead, and never matches.
   * What another system hashed (an import brought it) is checked by its rules, and renewed with ours at the first success. Such
   * systems mostly hashed what arrived, so the password counts in NFC and, where that differs, as it was typed.
   */
  async verify (stored: string | null, password: string, { bucket, signal }: Waiter): Promise<Verdict> {
    const own = stored === null || parsePhc(stored) === null ? null : stored
    const foreign = stored === null || own !== null ? null : foreignCheck(stored, argon2.verify)
    const check = foreign ?? (async (candidate: string) => await argon2.verify(own ?? this.#dummy, candidate))
    return await traced({ name: 'verify password' }, async () => await this.#admission.admit(bucket, signal, async () => {
      const normal = password.normalize('NFC')
      let matched = await check(normal).catch(() => false)
      const asTyped = !matched && password !== normal && await check(password).catch(() => false)
      matched ||= asTyped
      // Right or wrong, one argon2 follows: a quick foreign hash must not answer sooner than an address without an account.
      if (foreign && !matched) await argon2.verify(this.#dummy, normal).catch(() => false)
      if (!matched || (own === null && !foreign)) return { ok: false }
      const renew = foreign !== null || asTyped || argon2.needsRehash(own!, this.#options)
      return { ok: true, rehash: renew ? await this.#hash(normal) : null }
    }))
  }

  /** The module writes m,p,t; the PHC specification and every other reader want m,t,p. */
  async #hash (normal: string, salt = randomBytes(16)): Promise<string> {
    return (await argon2.hash(normal, { ...this.#options, salt })).replace(/,(p=\d+),(t=\d+)\$/, ',$2,$1$')
  }
}
