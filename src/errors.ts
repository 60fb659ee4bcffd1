/**
 * Every error a caller can meet: stable code → status and title. docs/errors.md says what to do about each;
 * a test holds the two together. `detail` is public, `cause` is only logged; 500 and above always render the same opaque body.
 */
export const errorCodes = {
  malformed_request: { status: 400, title: 'The request could not be read' },
  invalid_request: { status: 400, title: 'The request does not have the documented form' },
  weak_password: { status: 400, title: 'The password is too easy to guess' },
  invalid_cursor: { status: 400, title: 'The cursor is not one that was handed out here' },
  invalid_action_token: { status: 400, title: 'The link is not valid, or not any more' },
  token_used: { status: 400, title: 'The link has been used' },
  claims_too_large: { status: 400, title: 'The claims would make tokens too large' },
  invalid_scope: { status: 400, title: 'The client may not have this scope' },
  unsupported_grant_type: { status: 400, title: 'This grant type is not offered' },
  unauthorized_client: { status: 400, title: 'The token was issued to another client' },
  invalid_client: { status: 401, title: 'The client is not known by what it presented' },
  invalid_credentials: { status: 401, title: 'The e-mail address or the password is wrong' },
  invalid_token: { status: 401, title: 'The access token is missing or not valid' },
  no_session: { status: 401, title: 'There is no session to refresh' },
  session_ended: { status: 401, title: 'The session has ended' },
  email_not_verified: { status: 403, title: 'The e-mail address has not been confirmed yet' },
  origin_not_allowed: { status: 403, title: 'Requests from this origin are not allowed' },
  insufficient_scope: { status: 403, title: 'The access token does not cover this' },
  not_found: { status: 404, title: 'There is nothing here' },
  method_not_allowed: { status: 405, title: 'This method is not allowed here' },
  request_timeout: { status: 408, title: 'The request did not arrive in time' },
  email_taken: { status: 409, title: 'This e-mail address has an account already' },
  request_in_progress: { status: 409, title: 'The same request is being carried out' },
  precondition_failed: { status: 412, title: 'It was changed in the meantime' },
  body_too_large: { status: 413, title: 'The request body is too large' },
  unsupported_media_type: { status: 415, title: 'The request body must be application/json' },
  idempotency_key_reused: { status: 422, title: 'The key was used for another request' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  login_busy: { status: 503, title: 'Too many sign-ins at this moment' },
  stale_revocations: { status: 503, title: 'This node does not know the keys or what has ended' },
  database_unavailable: { status: 503, title: 'The database cannot be reached' },
} as const

export type ErrorCode = keyof typeof errorCodes

/** One fault of a body or a parameter: a JSON pointer, a code and a sentence. */
export type FieldError = { pointer: string, code: string, message: string }

type Extra = {
  detail?: string
  errors?: FieldError[]
  /** Sent as Retry-After. Every 429 and 503 carries one. */
  retryAfterSeconds?: number
  /** In the metrics, where more is known than the caller is told. */
  countAs?: 'reuse'
  cause?: unknown
}

/** The only error that rules throw on purpose. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly extra: Extra

  constructor (code: ErrorCode, extra: Extra = {}) {
    super(extra.detail ?? errorCodes[code].title, { cause: extra.cause })
    this.name = 'AppError'
    this.code = code
    this.extra = extra
  }

  get status (): number { return errorCodes[this.code].status }
}

/** A start that cannot go on: one sentence for the operator, and a non-zero exit. */
export class StartError extends Error {
  override name = 'StartError'
}

/** Why a port could not be opened, where an operator can mend it. @param setting names the port */
export function portFault (error: NodeJS.ErrnoException, { host, port, setting }: { host: string, port: number, setting: string }): Error {
  if (error.code === 'EADDRINUSE') return new StartError(`Port ${port} on ${host} is taken by another process; stop it or set ${setting}.`)
  if (error.code === 'EACCES') return new StartError(`Port ${port} may not be opened by this account; set ${setting}.`)
  if (error.code === 'EADDRNOTAVAIL') return new StartError(`This machine has no address ${host}; set HOST.`)
  return error
}
