/**
 * Runs `work` again and again, each time after the delay it returned (± 20 %, so that nodes started together drift apart),
 * until stopped. It never overlaps itself, and never keeps the process alive.
 */
export function startLoop (firstDelayMs: number, work: () => Promise<number>): { stop: () => void } {
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  const next = (delayMs: number) => {
    if (stopped) return
    timer = setTimeout(() => { work().then(next) }, delayMs * (0.8 + Math.random() * 0.4)).unref()
  }
  next(firstDelayMs)
  return { stop: () => { stopped = true; clearTimeout(timer) } }
}
