import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet } from 'jose'

/**
 * A service that has a JOSE library and the JWKS, follows no feed, and caches exactly as long as `max-age` says: it does not even ask
 * again when it meets a key that it does not know. @returns `good`, or why not
 */
export function cachingVerifier (issuer: string): (token: string) => Promise<string> {
  let keys: Promise<ReturnType<typeof createLocalJWKSet>> | undefined
  let until = -Infinity
  const fetchKeys = async () => {
    const began = performance.now()
    for (let attempt = 1; ; attempt++) {
      const answer = await fetch(`${issuer}/.well-known/jwks.json`).catch(() => null)
      if (answer?.ok) {
        until = began + Number(/max-age=(\d+)/.exec(answer.headers.get('cache-control') ?? '')?.[1] ?? 0) * 1000
        return createLocalJWKSet(await answer.json() as JSONWebKeySet)
      }
      if (attempt === 20) throw new Error('the JWKS could not be fetched')
      await new Promise(resolve => setTimeout(resolve, 200))
    }
  }
  return async token => {
    if (performance.now() >= until) {
      until = Infinity
      keys = fetchKeys()
    }
    try {
      await jwtVerify(token, await keys!, { algorithms: ['ES256'], typ: 'at+jwt', issuer, audience: issuer })
      return 'good'
    } catch (error) { return error instanceof errors.JOSEError ? error.code : String(error) }
  }
}
