import type { components } from './generated/api.ts'

type Problem = components['schemas']['Problem']

/** What the service can answer, from its contract, and what only a client can meet. */
export type AuthErrorCode = Problem['code'] | 'network_error' | 'unexpected_answer'
export type FieldError = NonNullable<Problem['errors']>[number]

type More = { detail?: string | undefined, errors?: FieldError[] | undefined, requestId?: string | undefined, retryAfter?: number | undefined, cause?: unknown }

/** Decide by `code`; `detail` is for people. `status` is 0 where there was no answer. */
export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthErrorCode
  readonly status: number
  readonly detail: string | undefined
  /** Each fault of the body, with a JSON pointer. */
  readonly errors: readonly FieldError[]
  /** Names the request in the logs of the service. */
  readonly requestId: string | undefined
  /** Seconds. */
  readonly retryAfter: number | undefined

  constructor (code: AuthErrorCode, status: number, { detail, errors = [], requestId, retryAfter, cause }: More = {}) {
    super(detail ?? code, { cause })
    this.code = code
    this.status = status
    this.detail = detail
    this.errors = errors
    this.requestId = requestId
    this.retryAfter = retryAfter
  }
}

/** A balancer or a proxy answers in words of its own: they are no code of ours. */
export async function errorOf (answer: Response): Promise<AuthError> {
  const { status, headers } = answer
  const seconds = Number(headers.get('retry-after') ?? NaN) // a date, which nobody here sends, would need a clock that is right
  const more = { requestId: headers.get('x-request-id') ?? undefined, retryAfter: seconds >= 0 ? seconds : undefined }
  const problem = await answer.json().catch(() => null) as Partial<Problem> | null
  if (typeof problem?.code !== 'string') return new AuthError('unexpected_answer', status, more)
  return new AuthError(problem.code, status, { detail: problem.detail ?? problem.title, errors: problem.errors, ...more, ...(problem.request_id !== undefined && { requestId: problem.request_id }) })
}

export const signedOutError = (): AuthError => new AuthError('no_session', 401, { detail: 'Nobody is signed in' })
