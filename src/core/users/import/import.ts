import { retryUnavailable, type Db } from '../../../db/client.ts'
import { isUnavailable } from '../../../db/faults.ts'
import { StartError } from '../../../errors.ts'
import type { Clock } from '../../../lib/clock.ts'
import type { ImportedUser } from './imported-user.ts'
import { readLines, type Line } from './lines.ts'
import { readLine, Refusal, type RefusalCode } from './read-line.ts'
import { findSame, insertUsers } from './store.ts'

export type Refused = { line: number, code: RefusalCode, message: string }
/** Of the lines that are dealt with; blank ones count only there. */
export type Counts = { lines: number, imported: number, there: number, refused: number }

/** Of lines that are held for one statement: few long lines take as much as many short ones. */
const BATCH_BYTES = 131_072

type Deps = { db: Db, clock: Clock, config: Parameters<typeof readLine>[1]['config'] }
type Options = { dryRun: boolean, batch: number, signal: AbortSignal, onBatch: (refused: Refused[], counts: Readonly<Counts>) => void }
type Numbered = { line: number, user: ImportedUser }

/**
 * Writes the accounts of a stream of lines, a batch in a statement: an account is there with all that belongs to it, or not at all.
 * What was done is told by the accounts themselves, so that the same file may be read again after whatever stopped it. The next batch is
 * read while one is written; both are all that is held.
 * @returns once the stream has ended, or the signal fired and what was read is written
 * @throws StartError when the database has gone
 */
export async function importUsers ({ db, clock, config }: Deps, input: AsyncIterable<Buffer>, { dryRun, batch, signal, onBatch }: Options): Promise<Counts> {
  const counts: Counts = { lines: 0, imported: 0, there: 0, refused: 0 }
  let users: Numbered[] = []
  let refused: Refused[] = []
  let bytes = 0
  let lastLine = 0
  let writing: Promise<void> = Promise.resolve()

  const write = async (users: Numbered[], refused: Refused[], lastLine: number): Promise<void> => {
    const outcome = await writeAll({ db, clock }, users, dryRun)
    counts.imported += outcome.imported
    counts.there += outcome.there
    counts.refused += refused.length + outcome.refused.length
    counts.lines = lastLine
    onBatch([...refused, ...outcome.refused].sort((a, b) => a.line - b.line), counts)
  }
  const flush = async (): Promise<void> => {
    await writing
    writing = write(users, refused, lastLine)
    // It is waited for before the next one; until then its failure is nobody's.
    writing.catch(() => {})
    users = []
    refused = []
    bytes = 0
  }
  const take = (line: Line): void => {
    lastLine = line.number
    bytes += line.bytes?.length ?? 0
    try {
      const user = readLine(line, { config, now: clock.now() })
      if (user) users.push({ line: line.number, user })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refused.push({ line: line.number, code: error.code, message: error.message })
    }
  }

  try {
    for await (const lines of readLines(input)) {
      if (signal.aborted) break
      for (const line of lines) {
        take(line)
        if (users.length + refused.length >= batch || bytes >= BATCH_BYTES) await flush()
      }
    }
  } catch (error) {
    // A stream that the same signal ended.
    if (!signal.aborted || isUnavailable(error)) throw told(error, counts)
  }
  try {
    await flush()
    await writing
  } catch (error) { throw told(error, counts) }
  return counts
}

/** Rows that others write at the same time decide like rows that were there: who is first has the address. */
async function writeAll (deps: { db: Db, clock: Clock }, users: readonly Numbered[], dryRun: boolean): Promise<{ imported: number, there: number, refused: Refused[] }> {
  const outcome = { imported: 0, there: 0, refused: [] as Refused[] }
  const judge = ({ line, user }: Numbered, others: readonly { id: string, email: string }[]): boolean => {
    const same = others.find(({ id }) => id === user.id) ?? others.find(({ email }) => email === user.email)
    if (!same) return false
    if (same.id !== user.id) outcome.refused.push({ line, code: 'email_taken', message: 'another account has this e-mail address' })
    else if (same.email !== user.email) outcome.refused.push({ line, code: 'id_taken', message: 'the account with this id has another e-mail address' })
    else outcome.there++
    return true
  }
  const first = new Map<string, Numbered>()
  for (const numbered of users) {
    const before = first.get(numbered.user.id)
    if (before) judge(numbered, [before.user])
    else first.set(numbered.user.id, numbered)
  }
  let left = [...first.values()]
  for (let attempt = 1; left.length > 0; attempt++) {
    const created = dryRun ? new Set<string>() : await retryUnavailable(() => insertUsers(deps, left.map(({ user }) => user)))
    outcome.imported += created.size
    left = left.filter(({ user }) => !created.has(user.id))
    if (left.length === 0) break
    const others = await retryUnavailable(() => findSame(deps.db, left.map(({ user }) => user)))
    const byKey = new Map(others.flatMap(other => [[other.id, other], [other.email, other]]))
    left = left.filter(numbered => !judge(numbered, [byKey.get(numbered.user.id), byKey.get(numbered.user.email)].filter(other => other !== undefined)))
    // Nobody has it, so whoever was in the way has gone: written again. Where nothing is written, that is what would be.
    if (!dryRun && attempt < 3) continue
    if (dryRun) outcome.imported += left.length
    else for (const { line } of left) outcome.refused.push({ line, code: 'email_taken', message: 'accounts with this e-mail address come and go; import the line again' })
    break
  }
  return outcome
}

const told = (error: unknown, { lines }: Counts): unknown => isUnavailable(error)
  ? new StartError(`The database cannot be reached. Everything up to line ${lines} is done; run the same command again to go on.`, { cause: error })
  : error
