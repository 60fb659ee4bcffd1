// Loaded before a node: what it does every half minute or less often, it does thirty times as often. Waits that a database or a client is given stay as they are.
const { now } = Date
const start = globalThis.setTimeout
globalThis.setTimeout = ((work: () => void, ms: number = 0) => {
  if (ms < 30_000) return start(work, ms)
  return start(() => {
    // Who looks whether it is really time sees that it is.
    Date.now = () => now() + ms
    try { work() } finally { Date.now = now }
  }, ms / 30)
}) as typeof start
