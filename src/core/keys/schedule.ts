/** Deterministic slots: every node computes the same schedule from the database's time, so nobody has to lead. */

export type KeyUse = 'at' | 'rt' | 'ft'
export const KEY_USES: readonly KeyUse[] = ['at', 'rt', 'ft']

/** `createdAt` in seconds of the database's time. */
export type Scheduled = { use: KeyUse, slot: number, rev: number, compromised: boolean, createdAt: number }

/** How long a browser is known to an account: the keys of flows are kept that long, and a slot. */
export const DEVICE_SECONDS = 365 * 86_400

export const slotAt = (unixSeconds: number, slotSeconds: number): number => Math.floor(unixSeconds / slotSeconds)

/** Often enough that the next slot's key is made, and known everywhere, in the first half of this one. */
export const refreshEveryMs = (slotSeconds: number): number => Math.min(60_000, slotSeconds * 1000 / 5)

/**
 * How long a key exists before it signs, in seconds of the database's time: until every node shows it, and every relay after
 * them, and nobody may go on using a key set from before that. What only nodes verify waits for nobody: they look it up.
 */
export const leadSecondsOf = (use: KeyUse, { keySlotSeconds, jwksMaxAgeSeconds }: { keySlotSeconds: number, jwksMaxAgeSeconds: number }): number =>
  use === 'at' ? jwksMaxAgeSeconds + 2 * refreshEveryMs(keySlotSeconds) / 1000 : 0

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

/** A further key that is to take over from a good one, and does not sign yet: one that was rotated in, or a replacement. */
export const isWaiting = ({ rev, compromised, createdAt }: Omit<Scheduled, 'use' | 'slot'>, { at, leadSeconds }: { at: number, leadSeconds: number }): boolean =>
  rev > 0 && !compromised && createdAt + leadSeconds > at

/** Where a rotation puts new keys: over what signs now, and over what would sign next. */
export const placesToRotate = (keys: readonly Omit<Scheduled, 'createdAt'>[], use: KeyUse, slot: number): { use: KeyUse, slot: number, rev: number }[] =>
  [slot, slot + 1].map(wanted => ({ use, slot: wanted, rev: Math.max(-1, ...keys.filter(key => key.use === use && key.slot === wanted).map(key => key.rev)) + 1 }))

/** A published key stays until the last token signed with it has expired, and a day for those who copied it by hand. */
export const isPublished = (key: Pick<Scheduled, 'slot' | 'compromised'>, now: number, slotSeconds: number, accessTokenSeconds: number): boolean =>
  !key.compromised && (key.slot + 1) * slotSeconds + accessTokenSeconds + 86_400 > now

export type KeyState = 'signing' | 'waiting' | 'next' | 'verifying' | 'past' | 'revoked'
type KeySettings = { keySlotSeconds: number, jwksMaxAgeSeconds: number, accessTokenTtlSeconds: number, sessionMaxSeconds: number }

/** What each key does at this moment, for operators. */
export function keyStates<K extends Scheduled> (keys: readonly K[], now: number, settings: KeySettings): { key: K, state: KeyState }[] {
  const { keySlotSeconds, accessTokenTtlSeconds, sessionMaxSeconds } = settings
  const slot = slotAt(now, keySlotSeconds)
  const signing = KEY_USES.map(use => keyToSignWith(keys, use, { slot, at: now, leadSeconds: leadSecondsOf(use, settings) }))
  const livesOn = ({ use, slot: of }: K): boolean => (of + 1) * keySlotSeconds + (use === 'rt' ? sessionMaxSeconds : 86_400) > now
  const stateOf = (key: K): KeyState => {
    if (key.compromised) return 'revoked'
    if (signing.includes(key)) return 'signing'
    if (isWaiting(key, { at: now, leadSeconds: leadSecondsOf(key.use, settings) })) return 'waiting'
    if (key.slot > slot) return 'next'
    return (key.use === 'at' ? isPublished(key, now, keySlotSeconds, accessTokenTtlSeconds) : livesOn(key)) ? 'verifying' : 'past'
  }
  return keys.map(key => ({ key, state: stateOf(key) }))
}
