import { ROOT_CONTEXT, trace, type Context } from '@opentelemetry/api'
import { SeverityNumber, type Logger } from '@opentelemetry/api-logs'

const SEVERITIES: Record<string, SeverityNumber> = { debug: SeverityNumber.DEBUG, info: SeverityNumber.INFO, warn: SeverityNumber.WARN, error: SeverityNumber.ERROR, fatal: SeverityNumber.FATAL }

/** By these a line of the log and a trace find each other. */
export function idsOf (context: Context | undefined): object {
  const span = context && trace.getSpanContext(context)
  return span ? { trace_id: span.traceId, span_id: span.spanId, trace_flags: span.traceFlags } : {}
}

/** Each line as it is written, secrets redacted, as a record too. */
export const exportLines = (logger: Logger) => (line: string): void => {
  const { level, time, msg, trace_id: traceId, span_id: spanId, trace_flags: traceFlags, ...attributes } = JSON.parse(line) as Record<string, string> & { trace_flags?: number }
  logger.emit({
    timestamp: Date.parse(time!),
    severityNumber: SEVERITIES[level!] ?? SeverityNumber.UNSPECIFIED,
    severityText: level!,
    body: msg!,
    attributes,
    ...traceId !== undefined && { context: trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: spanId!, traceFlags: traceFlags ?? 0 }) },
  })
}
