/** Deterministic slots: every node computes the same schedule from the database's time, so nobody has to lead. */

export type KeyUse = 'at' | 'rt' | 'ft'
export const KEY_USES: readonly KeyUse[] = ['at', 'rt', 'ft']

/** `createdAt` in seconds of the database's time. */
type Scheduled = { use: KeyUse, slot: number, rev: number, compromised: boolean, createdAt: number }

export const slotAt = (unixSeconds: number, slotSeconds: number): number => Math.floor(unixSeconds / slotSeconds)

/** Often enough that the next slot's key is made, and known everywhere, in the first half of this one. */
export const refreshEveryMs = (slotSeconds: number): number => Math.min(60_000, slotSeconds * 1000 / 5)

/**
 * The key to sign with at that instant: this slot's newest, else the next slot's. A key younger than `leadSeconds` waits,
 * because verifiers that cache the key set do not have it yet: after an emergency the next slot's key, which everybody
 * has, signs until the replacement has been public long enough. Where every key is young (a first start) the first made
 * signs, also a little beyond its slot.
 */
export function keyToSignWith<K extends Scheduled> (keys: Iterable<K>, use: KeyUse, { slot, at, leadSeconds }: { slot: number, at: number, leadSeconds: number }): K | undefined {
  const usable = [...keys].filter(key => key.use === use && !key.compromised && Math.abs(key.slot - slot) <= 1)
  const known = usable.filter(key => key.slot >= slot && key.createdAt + leadSeconds <= at)
  if (known.length > 0) return known.sort((a, b) => a.slot - b.slot || b.rev - a.rev)[0]
  return usable.sort((a, b) => a.rev - b.rev || a.slot - b.slot)[0]
}

/** The (use, slot) pairs at `slot` and after it in which no usable key exists. */
export function missingKeys (keys: readonly Omit<Scheduled, 'createdAt'>[], slot: number): { use: KeyUse, slot: number, rev: number }[] {
  return KEY_USES.flatMap(use => [slot, slot + 1].flatMap(wanted => {
    const present = keys.filter(key => key.use === use && key.slot === wanted)
    if (present.some(key => !key.compromised)) return []
    return [{ use, slot: wanted, rev: Math.max(-1, ...present.map(key => key.rev)) + 1 }]
  }))
}

/** A published key stays until the last token signed with it has expired, and a day for those who copied it by hand. */
export const isPublished = (key: Pick<Scheduled, 'slot' | 'compromised'>, now: number, slotSeconds: number, accessTokenSeconds: number): boolean =>
  !key.compromised && (key.slot + 1) * slotSeconds + accessTokenSeconds + 86_400 > now
