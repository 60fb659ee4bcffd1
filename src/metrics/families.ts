/** How the readings of several processes become one. `one`: it is of the whole cluster, or the same for all. */
type Combine = 'sum' | 'max' | 'min' | 'one'
export type Family = { type: 'gauge' | 'counter' | 'histogram', help: string, labels: readonly string[], combine: Combine }

const gauge = (combine: Combine, help: string, ...labels: string[]): Family => ({ type: 'gauge', help, labels, combine })
const counter = (help: string, ...labels: string[]): Family => ({ type: 'counter', help, labels, combine: 'sum' })
const histogram = (help: string, ...labels: string[]): Family => ({ type: 'histogram', help, labels, combine: 'sum' })

/** Every metric there is, in the order of the text; docs/metrics.md says what each is good for, and a test holds the two together. */
export const families = {
  stateless_auth_build_info: gauge('one', 'Always 1; what is running.', 'version', 'node', 'mode'),
  stateless_auth_workers: gauge('sum', 'Processes that serve.'),

  stateless_auth_sign_ins_total: counter('Attempts to sign in with a password, by outcome.', 'outcome'),
  stateless_auth_refreshes_total: counter('Attempts to refresh, by outcome.', 'outcome'),
  stateless_auth_verifications_total: counter('Access tokens that were verified, by outcome and by whether a cache answered.', 'outcome', 'cache'),
  stateless_auth_http_requests_total: counter('Requests answered, by route and class of status.', 'method', 'route', 'status'),
  stateless_auth_http_request_duration_seconds: histogram('From the first byte of a request to the last of its answer, by route.', 'method', 'route'),
  stateless_auth_access_token_bytes: histogram('Length of the access tokens that were issued.'),
  stateless_auth_large_tokens_total: counter('Access tokens issued with more than 80 % of TOKEN_MAX_BYTES: roles and claims are near what is allowed.'),

  stateless_auth_feed_staleness_seconds: gauge('max', 'How far the copy of the revocation feed is behind: now, less the time of its newest snapshot.'),
  stateless_auth_feed_entries: gauge('max', 'Endings that are held in memory.'),
  stateless_auth_feed_streams: gauge('sum', 'Streams of the feed that are open.'),
  stateless_auth_keys_age_seconds: gauge('max', 'Since the signing keys were last read.'),
  stateless_auth_signing_key_age_seconds: gauge('max', 'Since the key was made that signs now.', 'use'),
  stateless_auth_signing_key_rotation_seconds: gauge('min', 'Until the next key signs.', 'use'),

  stateless_auth_password_hashes_waiting: gauge('sum', 'Sign-ins, sign-ups and password hashes that wait for their turn.'),
  stateless_auth_password_hashes_running: gauge('sum', 'Password hashes that are being made.'),
  stateless_auth_password_hash_wait_seconds: histogram('How long sign-ins and sign-ups waited for their turn.'),
  stateless_auth_password_hash_duration_seconds: histogram('How long password hashes took, without the wait.'),
  stateless_auth_breach_checks_failed_total: counter('New passwords that could not be checked against breaches, and were let through.'),

  stateless_auth_jobs_queued: gauge('one', 'Jobs of the whole cluster that wait; in email-dead are mails that are not tried any more.', 'queue'),
  stateless_auth_jobs_failed: gauge('one', 'Jobs of the whole cluster that failed for good and are still kept.', 'queue'),
  stateless_auth_job_attempts_total: counter('Attempts at jobs by this node, by outcome.', 'queue', 'outcome'),
  stateless_auth_housekeeping_last_success_timestamp_seconds: gauge('max', 'When this node last did the housekeeping; absent until it did.'),
  stateless_auth_database_connections: gauge('sum', 'Connections to the database.', 'state'),
  stateless_auth_database_waiting: gauge('sum', 'Statements that wait for a connection.'),

  process_resident_memory_bytes: gauge('sum', 'Memory that is not swapped out.'),
  process_cpu_seconds_total: counter('Time that processors worked.'),
  process_start_time_seconds: gauge('min', 'When it was started.'),
  nodejs_eventloop_lag_p99_seconds: gauge('max', 'How late the event loop was since the last look, 99th percentile.'),
} as const satisfies Record<string, Family>

export type FamilyName = keyof typeof families
