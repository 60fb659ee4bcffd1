import { hash } from 'node:crypto'
import { seal, unseal } from './seal.ts'

/** The last row of a page, as its list is ordered. */
export type Position = readonly string[]

/** 0x01, then as `seal` writes it. */
const VERSION = 1
const CONTEXT = 'cursor'

type Content = { k: Position, f: string, x: number }

/** What a cursor holds is nobody's business, and nobody can make one: clients hand it back as they got it. @param expiresAt seconds since the epoch */
export function sealCursor (key: Buffer, { position, list, expiresAt }: { position: Position, list: string, expiresAt: number }): string {
  const content: Content = { k: position, f: list, x: Math.floor(expiresAt) }
  return Buffer.concat([Buffer.of(VERSION), seal(key, Buffer.from(JSON.stringify(content)), CONTEXT)]).toString('base64url')
}

/** @returns null for what none of the keys sealed, for another list, and after its time; `now` in seconds */
export function openCursor (keys: readonly Buffer[], cursor: string, { list, now }: { list: string, now: number }): Position | null {
  const bytes = Buffer.from(cursor, 'base64url')
  // Only the one spelling: the decoder also takes padding, the other alphabet and stray characters.
  if (bytes[0] !== VERSION || bytes.toString('base64url') !== cursor) return null
  for (const key of keys) {
    let content: Content
    try { content = JSON.parse(unseal(key, bytes.subarray(1), CONTEXT).toString()) as Content } catch { continue }
    return content.f === list && content.x > now ? content.k : null
  }
  return null
}

/** Names a list by everything that decides what is in it, in which order and for whom. */
export const listName = (parts: Readonly<Record<string, unknown>>): string =>
  hash('sha256', JSON.stringify(Object.entries(parts).filter(([, value]) => value !== undefined).sort(([a], [b]) => a < b ? -1 : 1)), 'base64url').slice(0, 22)
