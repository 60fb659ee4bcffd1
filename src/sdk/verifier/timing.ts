/** Where the runtime has that, a timer alone does not keep a process alive. */
export function quietTimeout (work: () => void, ms: number): () => void {
  const timer: unknown = setTimeout(work, ms)
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') timer.unref()
  return () => clearTimeout(timer as number)
}

/** Ends early, without an error, when `signal` is aborted. */
export async function sleep (ms: number, signal: AbortSignal): Promise<void> {
  if (ms <= 0 || signal.aborted) return
  await new Promise<void>(resolve => {
    const wake = () => { stop(); signal.removeEventListener('abort', wake); resolve() }
    const stop = quietTimeout(wake, ms)
    signal.addEventListener('abort', wake)
  })
}
