import cookie from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

const NAME = '__Host-rt'
/** `__Host-` makes the browser refuse a cookie that a sibling domain or an unencrypted page planted. */
export const HOST_COOKIE = { httpOnly: true, secure: true, sameSite: 'strict', path: '/' } as const

export const cookies = fp(async app => { await app.register(cookie) }, { name: 'cookies' })

export const readSessionCookie = (request: FastifyRequest): string | undefined => request.cookies[NAME]

/** @param maxAge seconds; null: until the browser closes */
export function setSessionCookie (reply: FastifyReply, token: string, maxAge: number | null): void {
  reply.setCookie(NAME, token, { ...HOST_COOKIE, ...(maxAge !== null && { maxAge }) })
}

export function clearSessionCookie (reply: FastifyReply): void { reply.clearCookie(NAME, HOST_COOKIE) }
