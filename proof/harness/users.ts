import { randomBytes } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { bearer, type Asked, type Client } from './client.ts'
import { newTab, note, type History, type Session, type Tab, type User } from './history.ts'
import { agentFrom, type Answer } from './http.ts'
import type { Ended } from './observer.ts'
import type { Random } from './random.ts'
import type { Tally } from './tally.ts'

const PASSWORD = 'a long enough pass phrase'
const TABS = 10
const COOKIE = '__Host-rt'

export type World = {
  client: Client, tally: Tally, history: History, random: Random
  /** How long after its acknowledgement an ending is obeyed by whichever node the balancer chooses. The observer measures; this is a bound. */
  obeyedWithinMs: number
  /** Where endings are watched; null where nobody measures. */
  onEnded?: (ended: Ended) => void
  /** A token was issued. */
  onToken?: (token: string) => void
  /** A good token may be refused for a reason that the variant knows: its key was revoked. */
  excuses?: (token: string) => boolean
  /** A node that cannot have heard of endings, because it is cut off from the database. */
  deaf?: (node: string) => boolean
}

/** The epoch of a user is no security table: what signed them out everywhere is never forgotten. */
export const standsEnded = ({ endedAt, endedBy, forgotten }: Session): boolean => endedAt !== Infinity && !(forgotten && endedBy === 'logout')

let addresses = 0
/** Addresses as a service sees them: a few users behind each. */
const nextAddress = (): string => `127.1.${Math.floor(addresses / 200) % 200}.${1 + addresses++ % 200}`

const unexpected = ({ tally }: World, what: string, { answer, retried }: Asked, session?: Session): void => {
  if (!answer) return // counted where it was given up
  tally.fault('non-retryable error', `${what} answered ${answer.status} ${answer.json?.code ?? JSON.stringify(answer.json)} by ${servedBy(answer)}${retried ? ' on a retry' : ''}${session ? told(session) : ''}`)
}
const told = ({ trace }: Session): string => `\n      ${trace.join('\n      ')}`
export const servedBy = ({ headers }: Answer): string => String(headers['x-served-by'] ?? 'nobody')

/** A new account. 409 on a retry says that the first try created it. */
export async function signUp (world: World): Promise<User | undefined> {
  const user: User = { email: `${randomBytes(8).toString('hex')}@example.com`, password: PASSWORD, agent: agentFrom(nextAddress()), sessions: new Set(), signingIn: 0, endingAll: false }
  const asked = await world.client.ask('sign-up', ['POST', '/v1/auth/register'], user.agent, () => ({ body: { email: user.email, password: user.password } }))
  const { answer, retried } = asked
  if (answer?.status === 201 || (answer?.status === 409 && answer.json.code === 'email_taken' && retried)) {
    world.history.users.push(user)
    return user
  }
  unexpected(world, 'sign-up', asked)
  return undefined
}

/** In an app, in a page, or in a browser whose ten tabs share the cookie. */
export async function signIn (world: World, user: User, kind: 'app' | 'page' | 'tabs'): Promise<Session | undefined> {
  const delivery = kind === 'app' ? 'body' : 'cookie'
  user.signingIn++
  const asked = await world.client.ask('sign-in', ['POST', '/v1/auth/login'], user.agent, () => ({ body: { email: user.email, password: user.password, refresh: delivery } }))
  user.signingIn--
  const { answer } = asked
  if (answer?.status === 401) { world.tally.fault('acknowledged write lost', `${user.email} signed up, and cannot sign in: ${answer.json?.code}`); return undefined }
  if (answer?.status !== 200) { unexpected(world, 'sign-in', asked); return undefined }
  const session: Session = {
    user, delivery, refreshToken: '', tabs: Array.from({ length: kind === 'tabs' ? TABS : 1 }, newTab), refreshing: 0, refreshedAt: asked.answeredAt,
    endRequestedAt: Infinity, endedAt: Infinity, forgotten: false, over: false, trace: [],
  }
  take(world, session, session.tabs[0]!, answer)
  world.history.add(session)
  return session
}

export async function refresh (world: World, session: Session, tab: Tab): Promise<void> {
  session.refreshing++
  const asked = await world.client.ask('refresh', ['POST', '/v1/auth/refresh'], session.user.agent, () => {
    note(session, `refresh with generation ${generationOf(session.refreshToken)}`)
    return present(session)
  })
  session.refreshing--
  const { answer } = asked
  if (answer?.status === 200) {
    if (session.endedAt < asked.firstSentAt && standsEnded(session)) world.tally.fault('acknowledged write lost', `a refresh succeeded after ${session.endedBy} was acknowledged${told(session)}`)
    take(world, session, tab, answer)
    session.refreshedAt = asked.answeredAt
  } else if (answer?.status === 401 && ['session_ended', 'no_session'].includes(answer.json?.code)) {
    note(session, `${answer.json.code} by ${servedBy(answer)}`)
    if (session.endRequestedAt > asked.answeredAt && !session.over) world.tally.fault('lost session', `${answer.json.code} by ${servedBy(answer)}; ${session.tabs.length} tabs${told(session)}`)
    session.over = true
    world.history.drop(session)
  } else unexpected(world, 'refresh', asked, session)
}

export async function verify (world: World, session: Session, tab: Tab): Promise<void> {
  const { accessToken, expiresAt } = tab
  const asked = await world.client.ask('verify', ['GET', '/v1/auth/verify'], session.user.agent, () => bearer(accessToken))
  const { answer } = asked
  if (answer?.status === 200) {
    if (session.endedAt + world.obeyedWithinMs < asked.firstSentAt && !session.forgotten && !world.deaf?.(servedBy(answer))) world.tally.fault('acknowledged write lost', `${servedBy(answer)} accepts a token ${Math.round(asked.firstSentAt - session.endedAt)} ms after ${session.endedBy} was acknowledged`)
    return
  }
  // The documented answer: refresh once, and use the new token.
  if (answer?.status === 401 && answer.json?.code === 'invalid_token') {
    if (tab.accessToken === accessToken) tab.expiresAt = 0
    if (session.endRequestedAt < asked.answeredAt || session.over || expiresAt < asked.answeredAt || world.excuses?.(accessToken)) return
    world.tally.fault('non-retryable error', `a good token was refused by ${servedBy(answer)}, key ${decodeProtectedHeader(accessToken).kid}${told(session)}`)
    return
  }
  unexpected(world, 'verify', asked)
}

export async function logout (world: World, session: Session): Promise<void> {
  world.history.drop(session)
  session.endRequestedAt = performance.now()
  session.endedBy = 'logout'
  const asked = await world.client.ask('logout', ['POST', '/v1/auth/logout'], session.user.agent, () => { note(session, 'logout'); return present(session) })
  if (asked.answer?.status === 204) acknowledged(world, [session], asked)
  else unexpected(world, 'logout', asked, session)
}

/** Signs the user out everywhere. 401 on a retry says that the first try did: the token that asks is ended as well. */
export async function logoutAll (world: World, session: Session): Promise<void> {
  const { user } = session
  const tab = session.tabs.find(tab => tab.expiresAt > performance.now())
  if (!tab || user.signingIn > 0 || user.endingAll) return
  user.endingAll = true
  const sessions = [...user.sessions].filter(({ over, endedAt }) => !over && endedAt === Infinity)
  for (const one of sessions) {
    world.history.drop(one)
    one.endRequestedAt = Math.min(one.endRequestedAt, performance.now())
    one.endedBy ??= 'logout-all'
    note(one, 'logout-all')
  }
  const ask = async () => await world.client.ask('logout-all', ['POST', '/v1/auth/logout-all'], user.agent, () => bearer(tab.accessToken))
  let asked = await ask()
  if (asked.answer?.status === 401 && world.excuses?.(tab.accessToken)) {
    await refresh(world, session, tab)
    asked = await ask()
  }
  user.endingAll = false
  const { answer, retried } = asked
  if (answer?.status === 204 || (answer?.status === 401 && answer.json.code === 'invalid_token' && retried)) acknowledged(world, sessions, asked)
  else unexpected(world, 'logout-all', asked, session)
}

function acknowledged ({ onEnded }: World, sessions: Session[], { answer, firstSentAt, answeredAt }: Asked): void {
  const at = performance.timeOrigin + answeredAt
  for (const session of sessions) {
    session.user.sessions.delete(session)
    session.endedAt = Math.min(session.endedAt, answeredAt)
    note(session, `${session.endedBy} acknowledged by ${servedBy(answer!)}`)
  }
  // One token of each ending is watched: where it has just been issued, so that it is not its age that ends it.
  const token = sessions.flatMap(({ tabs }) => tabs).filter(({ expiresAt }) => expiresAt > performance.now()).sort((a, b) => b.expiresAt - a.expiresAt)[0]?.accessToken
  if (token !== undefined) onEnded?.({ token, servedBy: servedBy(answer!), requestedAt: performance.timeOrigin + firstSentAt, at })
}

/** As a browser does, which also says that it is one. */
export const present = ({ delivery, refreshToken }: Pick<Session, 'delivery' | 'refreshToken'>) => delivery === 'cookie' ? { headers: { cookie: `${COOKIE}=${refreshToken}`, 'sec-fetch-site': 'same-origin' } } : { body: { refresh_token: refreshToken } }

/** The tab keeps its access token; the refresh token goes where all tabs have it, whichever answer comes last. */
function take ({ onToken }: World, session: Session, tab: Tab, answer: Answer): void {
  const { access_token: accessToken, expires_in: expiresIn, refresh_token: inBody } = answer.json
  tab.accessToken = accessToken
  tab.expiresAt = performance.now() + expiresIn * 1000
  const cookie = [answer.headers['set-cookie'] ?? []].flat().find(line => line.startsWith(`${COOKIE}=`))?.split(';', 1)[0]?.slice(COOKIE.length + 1)
  session.refreshToken = (session.delivery === 'cookie' ? cookie : inBody) ?? session.refreshToken
  note(session, `got generation ${generationOf(session.refreshToken)} from ${servedBy(answer)}`)
  onToken?.(accessToken)
}

const generationOf = (refreshToken: string): unknown => refreshToken === '' ? 0 : decodeJwt(refreshToken)['gen']
