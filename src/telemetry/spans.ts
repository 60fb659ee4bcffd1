import type { AsyncLocalStorage } from 'node:async_hooks'
import { tracingChannel } from 'node:diagnostics_channel'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type Span, type Tracer } from '@opentelemetry/api'
import type { Told } from '../trace.ts'

type Heard = Told & { error?: unknown }

/** What others tell (trace.ts) as spans, below that of the request or job that they belong to. @returns how to stop */
export function listen (tracer: Tracer, contexts: AsyncLocalStorage<Context>): () => void {
  const channel = tracingChannel<Heard, Heard>('stateless-auth')
  const open = new WeakMap<object, Span>()
  channel.start.bindStore(contexts as AsyncLocalStorage<never>, told => {
    const parent = contexts.getStore()
    // What a node does by itself all the time, such as looking for endings, is nobody's trace.
    if (!parent && !told.root) return undefined as never
    const span = tracer.startSpan(told.name, { kind: told.kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL, attributes: told.attributes ?? {} }, parent ?? ROOT_CONTEXT)
    open.set(told, span)
    return trace.setSpan(parent ?? ROOT_CONTEXT, span) as never
  })
  const subscribers = {
    asyncEnd: (told: Heard) => { close(open.get(told), told) },
    // Thrown before there was anything to wait for: no other end is told.
    end: (told: Heard) => { if ('error' in told) close(open.get(told), told) },
  }
  channel.subscribe(subscribers as never)
  return () => {
    channel.start.unbindStore(contexts as AsyncLocalStorage<never>)
    channel.unsubscribe(subscribers as never)
  }
}

function close (span: Span | undefined, { error, attributes }: Heard): void {
  if (!span) return
  // Again: some is known only at the end.
  span.setAttributes(attributes ?? {})
  if (error !== undefined) {
    // Its name or code: messages quote what was sent, addresses too.
    span.setAttribute('error.type', kindOf(error))
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end()
}

const kindOf = (error: unknown): string => {
  const { code, name } = (error ?? {}) as { code?: unknown, name?: unknown }
  return [code, name].find(text => typeof text === 'string' && /^\w{1,64}$/.test(text)) as string | undefined ?? 'error'
}
