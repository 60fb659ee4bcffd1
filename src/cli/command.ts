import { NOWHERE, type AuditEvent } from '../core/audit/events.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What a command answers when its arguments make no sense; the usage is printed then. */
export const MISUSED = 2

/** What the audit trail says of who acts here. */
export const BY_HAND: Pick<AuditEvent, 'actor' | 'source'> = { actor: 'cli', source: NOWHERE }

/** @returns the exit code */
export type Command = (args: readonly string[], env: Environment) => Promise<number>
