import { AsyncLocalStorage } from 'node:async_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { diag, DiagLogLevel, type Context } from '@opentelemetry/api'
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { FastifyPluginAsync } from 'fastify'
import type { Otel } from '../config-otel.ts'
import { createLog, type Log } from '../log.ts'
import { exportLines, idsOf } from './logs.ts'
import { requestSpans } from './requests.ts'
import { listen } from './spans.ts'

const NAME = 'stateless-auth'
/** What is left when a process ends may be sent for so long; then it is lost. */
const LAST_WORDS_MS = 1_500
/** While the receiver is away every batch fails alike. */
const SAME_FAULT_AGAIN_MS = 60_000

export type Telemetry = {
  log: Log
  /** Spans of requests; null where there are to be none. */
  requests: FastifyPluginAsync | null
  /** Sends what is left, for a moment. Never rejects. */
  stop: () => Promise<void>
}

/**
 * Traces and logs over OTLP, by OpenTelemetry's own variables. Loaded only where they ask for it. Records wait in queues of bounded length
 * and are sent in batches beside everything else: a receiver that is away or slow costs records, and no request.
 */
export function startTelemetry ({ otel, ...settings }: { otel: Otel, logLevel: Parameters<typeof createLog>[0]['logLevel'], worker?: number }): Telemetry {
  const resource = resourceFromAttributes({ 'service.name': NAME }).merge(detectResources({ detectors: [envDetector] }))
  const described = { resource: defaultResource().merge(resource) }
  const contexts = new AsyncLocalStorage<Context>()

  const tracing = otel.traces ? new BasicTracerProvider({ ...described, spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] }) : null
  const logging = otel.logs ? new LoggerProvider({ ...described, processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter() })] }) : null
  const log = createLog(settings, {
    ...logging && { also: exportLines(logging.getLogger(NAME)) },
    mixin: () => idsOf(contexts.getStore()),
  })
  sayWhatFails(log)

  const tracer = tracing?.getTracer(NAME)
  const deaf = tracer ? listen(tracer, contexts) : () => {}
  return {
    log,
    requests: tracer ? requestSpans(tracer, contexts) : null,
    stop: async () => {
      deaf()
      await Promise.race([Promise.allSettled([tracing?.shutdown(), logging?.shutdown()]), sleep(LAST_WORDS_MS)])
    },
  }
}

/** What the packages complain of, on our own lines; not each time, and not about what is exported itself. */
function sayWhatFails (log: Log): void {
  let saidAt = -Infinity
  const say = (message: string) => {
    if (performance.now() - saidAt < SAME_FAULT_AGAIN_MS) return
    saidAt = performance.now()
    log.warn({ err: message.slice(0, 300) }, 'telemetry could not be exported')
  }
  diag.setLogger({ error: say, warn: say, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.WARN)
}
