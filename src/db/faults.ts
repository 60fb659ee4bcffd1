/** SQLSTATEs of a server that is away, going, full, read-only after a failover, or too slow; 08xxx are connection faults. */
const UNAVAILABLE = /^(08...|57P0[1-5]|57014|53[0-9A-Z]{3}|25006|58030)$/
/** Prisma's own names for the same (P1xxx: cannot connect; P2024, P2037: no connection free). */
const PRISMA_UNAVAILABLE = new Set(['P1000', 'P1001', 'P1002', 'P1003', 'P1008', 'P1009', 'P1010', 'P1011', 'P1017', 'P2024', 'P2028', 'P2037'])
const PG_MESSAGES = /timeout exceeded when trying to connect|Connection terminated|Query read timeout|not queryable|Cannot use a pool after|unlogged relations during recovery/
const SOCKET = /^(ECONN|EPIPE|EHOST|ENET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)/

type Cause = { code?: unknown, message?: unknown, meta?: { driverAdapterError?: unknown }, cause?: unknown, originalCode?: unknown, kind?: unknown }

/** True where waiting and trying again is the answer; false where the statement itself is wrong. */
export const isUnavailable = (error: unknown): boolean => causes(error).some(({ code, originalCode, message, kind }) =>
  [code, originalCode].some(value => typeof value === 'string' &&
    (UNAVAILABLE.test(value) || PRISMA_UNAVAILABLE.has(value) || SOCKET.test(value))) ||
  kind === 'ConnectionClosed' || kind === 'SocketTimeout' || kind === 'DatabaseNotReachable' ||
  (typeof message === 'string' && PG_MESSAGES.test(message)))

/** Serialisation failure or deadlock: the same statement may simply run again. */
export const isConflict = (error: unknown): boolean => causes(error).some(({ code, originalCode, kind }) =>
  kind === 'TransactionWriteConflict' || code === 'P2034' || [code, originalCode].some(value => value === '40001' || value === '40P01'))

/** Another row has this value already, where only one may. */
export const isDuplicate = (error: unknown): boolean => causes(error).some(({ code, originalCode, kind }) =>
  kind === 'UniqueConstraintViolation' || code === 'P2002' || [code, originalCode].includes('23505'))

/** Waited for a row that another transaction holds, and gave up (SET LOCAL lock_timeout). */
export const isLockTimeout = (error: unknown): boolean => causes(error).some(({ code, originalCode }) => [code, originalCode].includes('55P03'))

function causes (error: unknown): Cause[] {
  const found: Cause[] = []
  for (let next = error; typeof next === 'object' && next !== null && found.length < 6;) {
    const current: Cause = next
    found.push(current)
    next = current.meta?.driverAdapterError ?? current.cause
  }
  return found
}
