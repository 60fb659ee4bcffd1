import type { FastifyReply } from 'fastify'
import type { IssuedTokens } from '../core/sessions/issue.ts'
import { setSessionCookie } from './session-cookie.ts'

export type Delivery = 'cookie' | 'body'

/** A refresh token goes into the cookie or into the body, never into both. */
export function tokensAnswer (reply: FastifyReply, tokens: IssuedTokens, delivery: Delivery) {
  reply.server.tally.tokenBytes.observe(tokens.accessToken.length)
  if (tokens.large) reply.server.tally.largeTokens++
  if (delivery === 'cookie') setSessionCookie(reply, tokens.refreshToken, tokens.refreshMaxAge)
  return {
    access_token: tokens.accessToken,
    token_type: 'Bearer' as const,
    expires_in: tokens.expiresIn,
    ...(delivery === 'body' && { refresh_token: tokens.refreshToken }),
  }
}
