import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import type { Account } from '../../core/users/admin/account.ts'
import { findAccount } from '../../core/users/admin/store.ts'
import { AppError } from '../../errors.ts'
import { ADMIN, adminOnly } from '../../http/admin-only.ts'
import { answerOnce, IdempotencyHeaders } from '../../http/idempotency.ts'
import { limitOf, OneOf, Page, problemResponses, Strict } from '../../http/schemas.ts'
import { sourceOf } from '../../http/source.ts'
import { typed } from '../../http/typed.ts'
import { deleteAccount, startReset, unlockAccount } from './act.ts'
import type { Caller } from './caller.ts'
import { changeAccount, type Patch } from './change.ts'
import { createAccount, putAccount } from './create.ts'
import { listPage } from './list.ts'
import { accountAnswer, AdminUser, ById, IfMatch, NewUser, UserPatch, UserQuery } from './schemas.ts'

const TAGS = ['Administration']
const GUARD = ['invalid_request', 'invalid_token', 'insufficient_scope', 'database_unavailable'] as const
const BODY = [...GUARD, 'body_too_large', 'unsupported_media_type'] as const
const ONCE = ['request_in_progress', 'idempotency_key_reused'] as const

const callerOf = (request: FastifyRequest): Caller => ({ sub: request.user.sub, ver: request.user.ver, source: sourceOf(request) })

// The accounts of everybody, for administrators. None of this sets or shows a password: owners do that themselves, by a link in their mail.
export async function adminUserRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)
  adminOnly(instance, ctx)
  instance.addSchema(AdminUser)

  app.get('/v1/admin/users', {
    config: ADMIN,
    schema: {
      operationId: 'listUsers',
      summary: 'List users',
      description: 'Newest id first; with `email_prefix` in the order of addresses. Filters add up. Users that are created or deleted meanwhile move no other: each is on exactly one page.',
      tags: TAGS,
      querystring: UserQuery,
      response: { 200: Page('UserPage', Type.Ref('AdminUser')), ...problemResponses(...GUARD, 'invalid_cursor') },
    },
  }, async request => {
    const { limit, ...query } = request.query
    const { items, next } = await listPage(ctx, request.user, query, limitOf({ limit }))
    return { items: items.map(accountAnswer), next }
  })

  app.post('/v1/admin/users', {
    config: ADMIN,
    schema: {
      operationId: 'createUser',
      summary: 'Create a user',
      description: 'Without a password: its owner sets one by the link in the invitation.',
      tags: TAGS,
      headers: IdempotencyHeaders,
      body: NewUser,
      response: { 201: Type.Ref('AdminUser', { description: 'The user exists.' }), ...problemResponses(...BODY, 'email_taken', 'claims_too_large', ...ONCE) },
    },
  }, async (request, reply) => await answerOnce(ctx, request, reply, { actor: request.user.sub }, async ctx =>
    ({ status: 201, body: accountAnswer(await createAccount(ctx, callerOf(request), request.body)) })))

  app.get('/v1/admin/users/:id', {
    config: ADMIN,
    schema: {
      operationId: 'getUser',
      summary: 'Read a user',
      tags: TAGS,
      params: ById,
      response: { 200: Type.Ref('AdminUser', { description: 'The user, with an `ETag` for `If-Match`.' }), ...problemResponses(...GUARD, 'not_found') },
    },
  }, async (request, reply) => {
    const account = await findAccount(ctx.db, request.params.id)
    if (!account) throw new AppError('not_found')
    return answer(reply, account)
  })

  app.put('/v1/admin/users/:id', {
    config: ADMIN,
    schema: {
      operationId: 'putUser',
      summary: 'Create a user with a given id',
      description: 'Repeating it is the same user, and no second invitation. It changes no user that is there: PATCH does.',
      tags: TAGS,
      params: ById,
      body: NewUser,
      response: {
        200: Type.Ref('AdminUser', { description: 'The user was there already, and like this.' }),
        201: Type.Ref('AdminUser', { description: 'The user exists.' }),
        ...problemResponses(...BODY, 'email_taken', 'claims_too_large', 'precondition_failed'),
      },
    },
  }, async (request, reply) => {
    const { account, created } = await putAccount(ctx, callerOf(request), request.params.id, request.body)
    return answer(reply.code(created ? 201 : 200), account)
  })

  app.patch('/v1/admin/users/:id', {
    config: ADMIN,
    schema: {
      operationId: 'updateUser',
      summary: 'Change a user',
      description: 'What is left out stays. Roles and claims count from the next refresh on, or at once with `revoke_sessions`.',
      tags: TAGS,
      params: ById,
      headers: IfMatch,
      body: UserPatch,
      response: { 200: Type.Ref('AdminUser', { description: 'The user as it is now, with its new `ETag`.' }), ...problemResponses(...BODY, 'not_found', 'email_taken', 'claims_too_large', 'precondition_failed') },
    },
  }, async (request, reply) =>
    answer(reply, await changeAccount(ctx, callerOf(request), request.params.id, request.body as Patch, request.headers['if-match'].replace('W/', ''))))

  app.delete('/v1/admin/users/:id', {
    config: ADMIN,
    schema: {
      operationId: 'deleteUser',
      summary: 'Delete a user',
      description: 'For good, with password and sessions; its owner is told by mail. Repeated, it is 404.',
      tags: TAGS,
      params: ById,
      response: { 204: Type.Null({ description: 'The user is gone.' }), ...problemResponses(...GUARD, 'not_found') },
    },
  }, async (request, reply) => {
    await deleteAccount(ctx, callerOf(request), request.params.id)
    return await reply.code(204).send(null)
  })

  const act = (name: string, operationId: string, summary: string, work: (caller: Caller, id: string) => Promise<unknown>): void => {
    app.post(`/v1/admin/users/:id/${name}`, {
      config: ADMIN,
      schema: {
        operationId,
        summary,
        description: 'Right whatever else was changed, so it asks for no `If-Match`. Repeated, it is the same 204.',
        tags: TAGS,
        params: ById,
        response: { 204: Type.Null({ description: 'It is so.' }), ...problemResponses(...GUARD, 'not_found') },
      },
    }, async (request, reply) => {
      await work(callerOf(request), request.params.id)
      return await reply.code(204).send(null)
    })
  }
  act('disable', 'disableUser', 'Close an account and end its sessions', async (caller, id) => await changeAccount(ctx, caller, id, { status: 'disabled' }, null))
  act('enable', 'enableUser', 'Open a closed account', async (caller, id) => await changeAccount(ctx, caller, id, { status: 'active' }, null))
  act('revoke-sessions', 'revokeSessions', 'End every session of a user', async (caller, id) => await changeAccount(ctx, caller, id, { revoke_sessions: true }, null))
  act('unlock', 'unlockUser', 'Forget the wrong guesses against an account', async (caller, id) => await unlockAccount(ctx, caller, id))

  app.post('/v1/admin/users/:id/password-reset', {
    config: ADMIN,
    schema: {
      operationId: 'startPasswordReset',
      summary: 'Mail a user a link to set a new password',
      description: 'The old one works until then. Nobody but the owner of the mailbox sees the link.',
      tags: TAGS,
      params: ById,
      headers: IdempotencyHeaders,
      response: { 202: Strict({ status: OneOf(['mail_queued']) }, { title: 'MailQueued', description: 'The mail will be sent.' }), ...problemResponses(...GUARD, 'not_found', ...ONCE) },
    },
  }, async (request, reply) => await answerOnce(ctx, request, reply, { actor: request.user.sub }, async ctx => {
    await startReset(ctx, callerOf(request), request.params.id)
    return { status: 202, body: { status: 'mail_queued' } }
  }))
}

function answer (reply: FastifyReply, account: Account) {
  reply.header('etag', account.etag)
  return accountAnswer(account)
}
