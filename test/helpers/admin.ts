import { randomBytes } from 'node:crypto'
import type { LightMyRequestResponse } from 'fastify'
import type { Call, Node, Tokens, World } from './world.ts'

export type AdminUser = { id: string, email: string, email_verified: boolean, name: string | null, status: string, roles: string[], claims: Record<string, unknown>, locale: string | null, has_password: boolean, created_at: string, updated_at: string }
export type Admin = { id: string, email: string, tokens: Tokens, call: (method: string, path: string, body?: unknown, more?: { headers?: Record<string, string>, at?: Node }) => Promise<LightMyRequestResponse> }

/** Somebody with the role, and calls to the Admin API in their name: `path` is what comes after /v1/admin. */
export async function newAdmin (w: World): Promise<Admin> {
  const { id, email } = await w.signUp(`admin-${randomBytes(4).toString('hex')}@example.com`)
  await w.sql("UPDATE users SET roles = '{admin}' WHERE id = $1", [id])
  const tokens = await w.signIn(email, { scope: 'admin' })
  return {
    id, email, tokens,
    call: async (method, path, body, { headers, at = w } = {}) =>
      await (at.call as Call)(method, `/v1/admin${path}`, { bearer: tokens.access_token, ...(body !== undefined && { body }), ...(headers && { headers }) }),
  }
}
