import { decodeJwt } from 'jose'
import type { Test } from 'tap'
import { forgeFrom } from '../../helpers/forge.ts'
import { claimsOf, identity, passed, refused, type Protected } from './scene.ts'

const VICTIM = '01930f4e-8a3b-7c2d-9e1f-0a1b2c3d4e5f'
const INJECTED = `x\r\nX-Auth-Subject: ${VICTIM}\r\nX-Auth-Roles: admin\r\n\r\n`

/** What an administrator, or an import, gave a user. */
const CLAIMS: Record<string, object> = {
  'line breaks': { note: INJECTED, lines: ['\n', '\r', '\u000b'] },
  'names of headers': { 'X-Auth-Subject': VICTIM, 'x-auth-roles': 'admin', x_auth_scope: 'admin' },
  'what ends a list or a string': { comma: 'a,admin', quote: '","roles":["admin"],"x":"', brackets: '"]}', backslash: '\\', semicolon: 'a; b=c' },
  'as long as may be': { text: 'x'.repeat(700) },
}
/** These a gateway that looks at the text itself refuses, rather than take them for ours. */
const DIFFICULT: Record<string, object> = {
  'letters of the world': { city: 'Zürich', mountain: '🏔', kanji: '東京', rtl: '\u202eadmin', lines: ['\u0085', '\u2028'] },
  'names of ours inside': { org: { roles: ['admin'], sub: VICTIM, scope: 'account admin', sid: VICTIM, exp: 1 } },
  'a name in each of a list': { orgs: [{ id: 1 }, { id: 2 }] },
}
/** What no role can be where roles are given; this is a token that says so all the same. */
const ROLES: Record<string, unknown[]> = { 'a line break': [INJECTED], 'a NUL': ['x\0'], 'a bracket': ['a]', 'b"]}'], 'a letter': ['rôle'], nothing: [''], 'a number': [1], 'a list': [['x']] }

/** Roles are told to the application as they are, and nothing that a claim says changes what it is told. */
export async function carriesRoles (t: Test, p: Protected, { asksNobody = false } = {}): Promise<void> {
  const { ask, signUp, signIn, sql, upstream } = p
  const roles = ['admin-of:acme.example_1', ...Array.from({ length: 20 }, (_, n) => `project:${n}.writer`)]
  const tokenWith = async (claims: object, its = roles): Promise<string> => {
    const { id, email } = await signUp()
    await sql('UPDATE users SET roles = $2, claims = $3 WHERE id = $1', [id, its, JSON.stringify(claims)])
    return (await signIn(email)).access_token
  }
  for (const [what, claims] of Object.entries(CLAIMS)) {
    const token = await tokenWith(claims)
    const arrival = passed(t, p, await ask('/private', { bearer: token }), decodeJwt(token), what)
    t.strictSame(arrival.headers.filter(([name, value]) => name.toLowerCase() !== 'authorization' && value.includes(VICTIM)), [], what)
  }
  for (const [what, claims] of Object.entries(DIFFICULT)) {
    const token = await tokenWith(claims)
    const answer = await ask('/private', { bearer: token })
    if (asksNobody) refused(t, p, answer, what)
    else passed(t, p, answer, decodeJwt(token), what)
  }
  const { forge } = forgeFrom(p.ctx, p.mine.access_token)
  for (const [what, roles] of Object.entries(ROLES)) {
    const { status } = await ask('/private', { bearer: forge({ claims: { roles } }) })
    const [arrival] = upstream.arrivals()
    if (arrival) t.match([identity(arrival), JSON.stringify(arrival).includes('x-auth-subject: 0')], [{ subject: claimsOf(p).sub, roles: /^[^\r\n]*$/ }, false], `${what}: ${status}`)
    else t.equal(status, 401, what)
  }
}
