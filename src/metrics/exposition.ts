import type { Reading } from './reading.ts'

/** Prometheus' text format, which every scraper reads. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const PREFIX = 'stateless_auth_'

export function exposition ({ stalenessSeconds, entries, streams, keysAgeSeconds, largeTokens, breachChecksFailed, requests, mail }: Reading): string {
  return [
    gauge('feed_staleness_seconds', 'How far the copy of the revocation feed is behind: now, less the time of its newest snapshot.', stalenessSeconds),
    gauge('feed_entries', 'Endings that are held in memory.', entries),
    gauge('feed_streams', 'Streams of the feed that are open.', streams),
    gauge('keys_age_seconds', 'Since the signing keys were last read.', keysAgeSeconds),
    family('large_tokens_total', 'counter', 'Access tokens issued with more than 80 % of TOKEN_MAX_BYTES: roles and claims are near what is allowed.', [` ${largeTokens}`]),
    family('breach_checks_failed_total', 'counter', 'New passwords that could not be checked against breaches, and were let through.', [` ${breachChecksFailed}`]),
    ...mail
      ? [
          gauge('mail_waiting', 'Mails of the whole cluster that are still to be sent.', mail.waiting),
          gauge('mail_dead', 'Mails of the whole cluster that could not be sent and are not tried any more.', mail.dead),
        ]
      : [],
    family('http_requests_total', 'counter', 'Requests answered, by route and class of status.',
      requests.map(({ method, route, status, count }) => `{method=${quoted(method)},route=${quoted(route)},status=${quoted(status)}} ${count}`)),
  ].join('')
}

const gauge = (name: string, help: string, value: number): string => family(name, 'gauge', help, [` ${value === Infinity ? '+Inf' : value}`])

const family = (name: string, type: 'gauge' | 'counter', help: string, samples: string[]): string =>
  [`# HELP ${PREFIX}${name} ${help}`, `# TYPE ${PREFIX}${name} ${type}`, ...samples.map(sample => `${PREFIX}${name}${sample}`)].map(line => `${line}\n`).join('')

const quoted = (label: string): string => `"${label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
