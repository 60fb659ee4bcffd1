/** Deterministic slots: every node computes the same schedule from the database's time, so nobody has to lead. */

export type KeyUse = 'at' | 'rt' | 'ft'
export const KEY_USES: readonly KeyUse[] = ['at', 'rt', 'ft']

type Scheduled = { use: KeyUse, slot: number, rev: number, compromised: boolean }

export const slotAt = (unixSeconds: number, slotSeconds: number): number => Math.floor(unixSeconds / slotSeconds)

/** Often enough that the next slot's key is made, and known everywhere, in the first half of this one. */
export const refreshEveryMs = (slotSeconds: number): number => Math.min(60_000, slotSeconds * 1000 / 5)

/** The key to sign with at that instant: this slot's newest, else the next slot's, which everybody has already. */
export function keyToSignWith<K extends Scheduled> (keys: Iterable<K>, use: KeyUse, slot: number): K | undefined {
  let best: K | undefined
  for (const key of keys) {
    if (key.use !== use || key.compromised || (key.slot !== slot && key.slot !== slot + 1)) continue
    if (!best || key.slot < best.slot || (key.slot === best.slot && key.rev > best.rev)) best = key
  }
  return best
}

/** The (use, slot) pairs at `slot` and after it in which no usable key exists. */
export function missingKeys (keys: readonly Scheduled[], slot: number): { use: KeyUse, slot: number, rev: number }[] {
  return KEY_USES.flatMap(use => [slot, slot + 1].flatMap(wanted => {
    const present = keys.filter(key => key.use === use && key.slot === wanted)
    if (present.some(key => !key.compromised)) return []
    return [{ use, slot: wanted, rev: Math.max(-1, ...present.map(key => key.rev)) + 1 }]
  }))
}

/** A published key stays until the last token signed with it has expired, and a day for those who copied it by hand. */
export const isPublished = (key: Scheduled, now: number, slotSeconds: number, accessTokenSeconds: number): boolean =>
  !key.compromised && (key.slot + 1) * slotSeconds + accessTokenSeconds + 86_400 > now
