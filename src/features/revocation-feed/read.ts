import { deltaDocument, emptyDocument, feedEtag, fullDocument, isAhead, itemOf, parseCursor, relayItemOf, type Cursor, type FeedDocument } from '../../core/revocations/feed.ts'
import type { Endings } from '../../core/revocations/endings.ts'
import { AppError } from '../../errors.ts'

type Deps = { revocations: Endings }
/** How entries are written: for readers, or for relays. */
type Form = { xid: boolean }
const writer = ({ xid }: Form) => xid ? relayItemOf : itemOf

export const readSnapshot = ({ revocations: { state } }: Deps, form: Form) => ({ etag: feedEtag(state), document: (): FeedDocument => fullDocument(state, writer(form)) })

/**
 * A cursor from a node that has read further makes this one read too, before it may conclude that the database went back in time.
 * @throws invalid_cursor; stale_revocations when it cannot read: as "everything" its older copy would take away what the reader has heard since
 */
export async function settleCursor ({ revocations }: Deps, text: string): Promise<Cursor> {
  const cursor = parseCursor(text)
  if (!cursor) throw new AppError('invalid_cursor')
  if (isAhead(revocations.state, cursor)) {
    await revocations.poll(cursor.xid).catch((cause: unknown) => {
      if (isAhead(revocations.state, cursor)) throw new AppError('stale_revocations', { retryAfterSeconds: 2, cause })
    })
  }
  return cursor
}

/** What came after `since`; waits for it up to `waitSeconds`. `signal` ends the wait: the client has gone, or the node is going. */
export async function readDelta (deps: Deps, { since, waitSeconds, ...form }: Form & { since: string, waitSeconds: number }, signal: AbortSignal): Promise<FeedDocument> {
  const { revocations } = deps
  const cursor = await settleCursor(deps, since)
  return await new Promise(resolve => {
    const finish = (document: FeedDocument) => {
      stop()
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      resolve(document)
    }
    const giveUp = () => finish(deltaDocument(revocations.state, cursor, writer(form)) ?? emptyDocument(revocations.state))
    const look = () => {
      const document = deltaDocument(revocations.state, cursor, writer(form))
      if (document) finish(document)
    }
    const stop = revocations.onRead(changed => { if (changed) look() })
    const timer = setTimeout(giveUp, waitSeconds * 1000)
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
    else look()
  })
}
