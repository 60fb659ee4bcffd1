import type { AsyncLocalStorage } from 'node:async_hooks'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, type Context, type TextMapGetter, type Tracer } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** What platforms ask all day long. */
const PROBES = /^\/(livez|readyz)(\/|$)/

/** Of what a caller sends, the ids of its trace, and nothing that it could write freely: `tracestate` and `baggage` stay unread. */
const fromCaller: TextMapGetter<FastifyRequest['headers']> = {
  keys: () => ['traceparent'],
  get: (headers, name) => name === 'traceparent' ? headers[name] as string | undefined : undefined,
}

/** A span for each request, named by its route. No path, no address, no name of anybody: those are not for a tracing service. */
export const requestSpans = (tracer: Tracer, contexts: AsyncLocalStorage<Context>): FastifyPluginAsync => fp(async app => {
  const propagator = new W3CTraceContextPropagator()
  const open = new WeakMap<FastifyRequest, Context>()

  app.addHook('onRequest', (request, _reply, done) => {
    const { method, routeOptions: { url: route } } = request
    if (route !== undefined && PROBES.test(route)) { done(); return }
    const caller = propagator.extract(ROOT_CONTEXT, request.headers, fromCaller)
    const span = tracer.startSpan(route === undefined ? method : `${method} ${route}`, {
      kind: SpanKind.SERVER,
      attributes: { 'http.request.method': method, ...route !== undefined && { 'http.route': route }, 'url.scheme': request.protocol },
    }, caller)
    const context = trace.setSpan(caller, span)
    open.set(request, context)
    contexts.run(context, done)
  })

  // A body, and a client that is slow to read, come with events of their socket, which know no request.
  const resume = (request: FastifyRequest, done: () => void) => {
    const context = open.get(request)
    if (context) contexts.run(context, done)
    else done()
  }
  app.addHook('preValidation', (request, _reply, done) => { resume(request, done) })
  app.addHook('onError', (request, _reply, _error, done) => { resume(request, done) })
  app.addHook('onResponse', (request, reply, done) => {
    const context = open.get(request)
    const span = context && trace.getSpan(context)
    if (span) {
      const { statusCode } = reply
      span.setAttribute('http.response.status_code', statusCode)
      if (statusCode >= 400) span.setAttribute('error.type', request.refusedFor ?? String(statusCode))
      if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    }
    resume(request, done)
  })
}, { name: 'request-spans' })
