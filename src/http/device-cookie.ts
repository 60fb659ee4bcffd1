import type { FastifyReply, FastifyRequest } from 'fastify'
import { HOST_COOKIE, readCookie } from './session-cookie.ts'

const NAME = '__Host-did'

export const readDeviceCookie = (request: FastifyRequest): string | undefined => readCookie(request, NAME)

/** @param keep false: until the browser closes, where its user is not to be remembered */
export function setDeviceCookie (reply: FastifyReply, { token, maxAge }: { token: string, maxAge: number }, { keep = true } = {}): void {
  reply.setCookie(NAME, token, { ...HOST_COOKIE, ...(keep && { maxAge }) })
}
