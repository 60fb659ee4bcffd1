// What the client has to know of the contract while it runs. A test holds these against openapi.yaml.

/** Takes an access token. */
export const takesToken = (path: string): boolean => /^\/v1\/(me|admin|auth\/(verify|logout-all))(\/|$)/.test(path)

/** Reads or writes a cookie. */
export const usesCookies = (path: string): boolean => /^\/v1\/(auth\/(login|refresh|logout|logout-all)|me\/(password|delete)|password-reset\/confirm)$/.test(path)

/** Leaves the browser without a session. */
export const endsSession = (path: string): boolean => /^\/v1\/(auth\/(logout|logout-all)|me\/delete)$/.test(path)

/** May have ended the session of this page: it is for the next refresh to say. */
export const mayEndSession = (path: string, sid: string): boolean => /^\/v1\/(email-change|password-reset)\/confirm$/.test(path) || path === `/v1/me/sessions/${sid}`

/** May be sent again when nobody knows whether it was carried out. */
export const isRepeatable = ({ method, headers }: Request, path: string): boolean =>
  /^(GET|PUT|DELETE)$/.test(method) || headers.has('idempotency-key') || endsSession(path) || /^\/v1\/(me|email-verification\/confirm)$/.test(path)
