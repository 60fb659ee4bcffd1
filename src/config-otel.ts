type Environment = Readonly<Record<string, string | undefined>>
/** What is exported by OpenTelemetry. */
export type Otel = { traces: boolean, logs: boolean }

const SIGNALS = ['TRACES', 'LOGS'] as const
const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT'

/**
 * OpenTelemetry's own variables, of which this reads those that decide whether it is on: with an endpoint, or an exporter that was
 * asked for. The rest are for its packages, which fall back in silence on what they do not understand; so what cannot work is refused here.
 */
export function readOtel (env: Environment): { otel: Otel, faults: string[] } {
  if (/^true$/i.test(env['OTEL_SDK_DISABLED'] ?? '')) return { otel: { traces: false, logs: false }, faults: [] }
  const [traces, logs] = SIGNALS.map(signal => isWanted(env, signal))
  const names = [ENDPOINT, ...SIGNALS.map(signal => `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`)]
  const protocols = ['OTEL_EXPORTER_OTLP_PROTOCOL', ...SIGNALS.map(signal => `OTEL_EXPORTER_OTLP_${signal}_PROTOCOL`)]
  const faults = [
    ...SIGNALS.map(signal => `OTEL_${signal}_EXPORTER`).filter(name => !['', 'otlp', 'none'].includes(env[name] ?? '')).map(name => `${name} must be otlp or none`),
    ...names.filter(name => env[name] && !isHttp(env[name])).map(name => `${name} must be a URL of http or https`),
    ...(traces || logs) ? protocols.filter(name => !['', 'http/protobuf'].includes(env[name] ?? '')).map(name => `${name} must be http/protobuf`) : [],
  ]
  return { otel: { traces: traces!, logs: logs! }, faults }
}

function isWanted (env: Environment, signal: typeof SIGNALS[number]): boolean {
  const exporter = env[`OTEL_${signal}_EXPORTER`] ?? ''
  return exporter === '' ? Boolean(env[ENDPOINT] || env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]) : exporter === 'otlp'
}

const isHttp = (text: string): boolean => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
