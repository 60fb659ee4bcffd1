import cookie from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

const NAME = '__Host-rt'
/** `__Host-` makes the browser refuse a cookie that a sibling domain or an unencrypted page planted. */
export const HOST_COOKIE = { httpOnly: true, secure: true, sameSite: 'strict', path: '/' } as const

// No hook: most requests have no cookie, and most routes ask for none.
export const cookies = fp(async app => { await app.register(cookie, { hook: false }) }, { name: 'cookies' })

export const readCookie = ({ server, headers }: FastifyRequest, name: string): string | undefined => server.parseCookie(headers.cookie ?? '')[name]
export const readSessionCookie = (request: FastifyRequest): string | undefined => readCookie(request, NAME)

/** @param maxAge seconds; null: until the browser closes */
export function setSessionCookie (reply: FastifyReply, token: string, maxAge: number | null): void {
  reply.setCookie(NAME, token, { ...HOST_COOKIE, ...(maxAge !== null && { maxAge }) })
}

export function clearSessionCookie (reply: FastifyReply): void { reply.clearCookie(NAME, HOST_COOKIE) }
