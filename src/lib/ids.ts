import { randomBytes } from 'node:crypto'

/**
 * A UUIDv7 (RFC 9562 §5.7) with 74 random bits. Libraries spend some of those on a counter that orders ids
 * within a millisecond; a session id must be unguessable before it is orderly, so none is spent here.
 */
export function uuidv7 (nowMs: number): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Math.floor(nowMs), 0, 6)
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return formatUuid(bytes)
}

/** The smallest UUIDv7 of that millisecond: a bound for key-range purges. */
export function uuidv7Floor (ms: number): string {
  const bytes = Buffer.alloc(16)
  bytes.writeUIntBE(Math.floor(ms), 0, 6)
  bytes[6] = 0x70
  bytes[8] = 0x80
  return formatUuid(bytes)
}

/** When a UUIDv7 says it was made, in milliseconds since the epoch. */
export const uuidv7Time = (uuid: string): number => Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16)

/** The 16 bytes of a UUID as 22 base64url characters. */
export const uuidToBase64url = (uuid: string): string => Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url')

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
export const isUuid = (value: unknown): value is string => typeof value === 'string' && UUID.test(value)

/** 16 bytes in the spelling of UUIDs. */
export function formatUuid (bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
