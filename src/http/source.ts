import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyRequest } from 'fastify'
import type { Source } from '../core/audit/events.ts'

const MAX_USER_AGENT = 256

/** What the audit trail keeps of who sent a request: an address too short to name a person, and what the program calls itself. */
export function sourceOf ({ ip, headers }: FastifyRequest): Source {
  return { addressPrefix: addressPrefix(ip), userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT) ?? null }
}

/** IPv4 /24, also when mapped into IPv6; IPv6 /48. */
function addressPrefix (ip: string): string {
  const whole = normalizeIP(ip, 48)
  return /^\d+(\.\d+){3}$/.test(whole) ? `${whole.slice(0, whole.lastIndexOf('.'))}.0/24` : whole
}
