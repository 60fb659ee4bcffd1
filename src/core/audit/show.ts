import type { RecordedEvent } from './store.ts'

/** An event as it is exported and answered. */
export const showEvent = ({ id, at, type, outcome, actor, userId, sid, addressPrefix, userAgent, data }: RecordedEvent) => ({
  id, at: at.toISOString(), type, outcome, actor, user_id: userId, sid, address_prefix: addressPrefix, user_agent: userAgent, data,
})
