/** What a session is: carried by its refresh token, copied unchanged from generation to generation. */
export type SessionClaims = {
  /** The user. */
  sub: string
  /** Names the sign-in, UUIDv7. */
  sid: string
  /** The user's epoch at sign-in: a higher one ends the session. */
  ver: number
  client_id: string
  scope: string
  amr: string[]
  auth_time: number
  /** Absolute end, seconds since the epoch. */
  sexp: number
  /** Present when the browser is to forget the cookie on closing. */
  persist?: false
}

/** What is read from the database for each generation: what an administrator gave the user, custom claims beside those of ours. */
export type Granted = { roles: readonly string[], claims: CustomClaims }
export type CustomClaims = Readonly<Record<string, unknown>>

/** `admin` is in force only while the user has the role: a role taken away is gone at the next refresh. */
export const scopeInForce = (scope: string, roles: readonly string[]): string =>
  scope.split(' ').filter(name => name !== 'admin' || roles.includes('admin')).join(' ')
