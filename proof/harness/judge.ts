import { bearer } from './client.ts'
import type { Session } from './history.ts'
import { present, refresh, servedBy, signIn, standsEnded, type World } from './users.ts'

const AT_ONCE = 16

/** Sixteen at a time. */
export async function forAll<T, R> (items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const queue = [...items]
  const results: R[] = []
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (queue.length > 0) results.push(await work(queue.pop()!))
  }))
  return results
}

/**
 * When all is quiet again, everything that was ever acknowledged is held against the service: sessions that nobody ended continue, endings stand,
 * accounts exist. Faults go to the world's tally; its requests are not the load's.
 */
export async function judge (world: World): Promise<{ continued: number, stayedEnded: number, accounts: number }> {
  const { sessions, users } = world.history
  const going = sessions.filter(({ endRequestedAt, over }) => endRequestedAt === Infinity && !over)
  const ended = sessions.filter(standsEnded)
  await forAll(going, async session => await refresh(world, session, session.tabs[0]!))
  await forAll(ended, async session => await staysEnded(world, session))
  // Who has a session is seen by its owner's page; who has none signs in.
  const seen = new Map<string, Session>()
  for (const session of going) if (!session.over) seen.set(session.user.email, session)
  await forAll(users, async user => {
    const session = seen.get(user.email)
    if (!session) { await signIn(world, user, 'app'); return }
    const asked = await world.client.ask('me', ['GET', '/v1/me'], user.agent, () => bearer(session.tabs[0]!.accessToken))
    if (asked.answer?.status === 200 && asked.answer.json.email === user.email) return
    world.tally.fault('acknowledged write lost', `${user.email} signed up, and /v1/me answers ${asked.answer?.status} ${asked.answer?.json?.code}`)
  })
  return { continued: going.filter(({ over }) => !over).length, stayedEnded: ended.length, accounts: users.length }
}

async function staysEnded (world: World, session: Session): Promise<void> {
  const { user, endedBy, trace } = session
  const asked = await world.client.ask('refresh', ['POST', '/v1/auth/refresh'], user.agent, () => present(session))
  const { answer } = asked
  if (answer?.status === 401 && answer.json.code === 'session_ended') return
  if (answer) world.tally.fault('acknowledged write lost', `${endedBy} was acknowledged, and refresh answers ${answer.status} by ${servedBy(answer)}\n      ${trace.join('\n      ')}`)
}
