/**
 * Where each request has a context of its own, and what it began ends with it (workers at the edge), nothing may run in the background, and
 * no request may wait for what another one asked: it would wait for ever, or be refused by the runtime.
 */
export const PER_REQUEST = (globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent === 'Cloudflare-Workers' ||
  'WebSocketPair' in globalThis || 'EdgeRuntime' in globalThis
