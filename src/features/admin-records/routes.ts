import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import type { Context } from '../../context.ts'
import { AUDIT_TYPES, type AuditType } from '../../core/audit/events.ts'
import { listEvents, type RecordedEvent } from '../../core/audit/store.ts'
import { pageOf, positionOf } from '../../core/lists/pages.ts'
import { readState } from '../../core/state/store.ts'
import { AppError } from '../../errors.ts'
import { ADMIN, adminOnly } from '../../http/admin-only.ts'
import { Instant, limitOf, OneOf, Page, pageQuery, problemResponses, Strict, Uuid } from '../../http/schemas.ts'
import { typed } from '../../http/typed.ts'

const orNull = <S extends Parameters<typeof Type.Array>[0]>(schema: S) => Type.Union([schema, Type.Null()])
const tags = ['Administration']

const EventType = OneOf(AUDIT_TYPES, { title: 'AuditEventType' })
const Event = Strict({
  id: Uuid,
  at: Instant,
  type: EventType,
  outcome: OneOf(['success', 'failure']),
  actor: Type.String({ description: '`user:<id>`, `admin:<id>`, `client:<id>`, `cli`, `system` or `anonymous`.' }),
  user_id: orNull(Uuid),
  session_id: orNull(Uuid),
  address_prefix: orNull(Type.String({ description: 'IPv4 /24 or IPv6 /48.' })),
  user_agent: orNull(Type.String()),
  data: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description: 'A few small values; never a secret.' }),
}, { title: 'AuditEvent' })

const eventAnswer = ({ id, at, type, outcome, actor, userId, sid, addressPrefix, userAgent, data }: RecordedEvent) => ({
  id, at: at.toISOString(), type, outcome, actor, user_id: userId, session_id: sid, address_prefix: addressPrefix, user_agent: userAgent, data,
})

/** The schema has looked at the form; "2026-02-31" and years that no database keeps are left. */
function instantOf (text: string | undefined, name: string): Date | undefined {
  if (text === undefined) return undefined
  const date = new Date(text)
  const year = date.getUTCFullYear()
  if (!(year >= 1970 && year < 10_000)) throw new AppError('invalid_request', { errors: [{ pointer: `/querystring/${name}`, code: 'format', message: 'must be an instant between 1970 and 9999' }] })
  return date
}

// What happened here, and what is stored: read only.
export async function adminRecordRoutes (instance: FastifyInstance, { ctx }: { ctx: Context }): Promise<void> {
  const app = typed(instance)
  adminOnly(instance, ctx)

  app.get('/v1/admin/audit-events', {
    config: ADMIN,
    schema: {
      operationId: 'listAuditEvents',
      summary: 'Read what happened, newest first',
      description: 'Kept for `AUDIT_RETENTION_SECONDS`. All of it, for another system: `stateless-auth audit export`.',
      tags,
      querystring: Strict({
        ...pageQuery,
        user_id: Type.Optional(Uuid),
        type: Type.Optional(EventType),
        since: Type.Optional({ ...Instant, description: 'At this instant or after.' }),
        until: Type.Optional({ ...Instant, description: 'Before this instant.' }),
      }),
      response: { 200: Page('AuditEventPage', Event), ...problemResponses('invalid_request', 'invalid_cursor', 'invalid_token', 'insufficient_scope', 'database_unavailable') },
    },
  }, async request => {
    const { cursor, user_id: userId, type, since, until } = request.query
    const list = { list: 'audit-events', sub: request.user.sub, userId, type, since, until }
    const limit = limitOf(request.query)
    const rows = await listEvents(ctx.db, {
      after: positionOf(ctx, list, cursor)?.[0], limit: limit + 1, newestFirst: true, userId, type: type as AuditType | undefined, since: instantOf(since, 'since'), until: instantOf(until, 'until'),
    })
    const { items, next } = pageOf(ctx, list, { rows, limit, position: ({ id }) => [id] })
    return { items: items.map(eventAnswer), next }
  })

  app.get('/v1/admin/state', {
    config: ADMIN,
    schema: {
      operationId: 'readState',
      summary: 'Read what is stored: rows and bytes of every table against its bound',
      tags,
      response: {
        200: Strict({
          tables: Type.Array(Strict({
            table: Type.String({ description: '`pgboss`: the tables of the job queue, together.' }),
            rows: Type.Integer({ format: 'int64', minimum: 0 }),
            rows_exact: Type.Boolean({ description: 'False: an estimate, above 10,000.' }),
            bytes: Type.Integer({ format: 'int64', minimum: 0, description: 'With indexes.' }),
            bound: Type.String({ description: 'What holds it to its size.' }),
            rows_allowed: orNull(Type.Integer({ format: 'int64', description: 'The most that the bound allows, where that is a number.' })),
            rows_overdue: orNull(Type.Integer({ format: 'int64', description: 'Rows that have outlived the bound and wait for the next purge, counted up to 10,001. Null: nothing in it expires.' })),
          }, { title: 'TableState' })),
          bytes: Type.Integer({ format: 'int64', minimum: 0, description: 'All together.' }),
        }, { title: 'StateLedger', description: 'See docs/state.md.' }),
        ...problemResponses('invalid_token', 'insufficient_scope', 'database_unavailable'),
      },
    },
  }, async () => {
    const tables = await readState(ctx.db, ctx.config)
    return {
      tables: tables.map(({ table, rows, exact, bytes, bound, allowed, overdue }) => ({ table, rows, rows_exact: exact, bytes, bound, rows_allowed: allowed, rows_overdue: overdue })),
      bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
    }
  })
}
