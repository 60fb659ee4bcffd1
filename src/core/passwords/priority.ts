import { readdirSync, readFileSync } from 'node:fs'
import { setPriority } from 'node:os'

/** A quarter of a core against whoever answers requests on it, all of it while nobody does. With less, sign-ins would starve beside whatever else a machine does. */
const NICE = 5

/**
 * Hashing gives way to answering: on a core that both want, a token's verification would otherwise wait for the scheduler to take its turn away from a hash. It is Linux
 * that has priorities of threads, and tells which are of the pool that hashes run in; elsewhere, or where it is forbidden, everything works as it did.
 */
export function letHashesYield (): void {
  try {
    for (const thread of readdirSync('/proc/self/task')) {
      if (readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim() === 'libuv-worker') setPriority(Number(thread), NICE)
    }
  } catch {}
}
