import { isatty } from 'node:tty'

/** Ctrl-C reaches the whole process group, and a platform may signal every process of a container. */
export const STOPPING = ['SIGINT', 'SIGTERM'] as const

/** Resolves when the service is told to stop. */
export async function nextStop (): Promise<void> {
  await new Promise<void>(resolve => {
    const stop = () => {
      for (const signal of STOPPING) process.off(signal, stop)
      resolve()
    }
    for (const signal of STOPPING) process.on(signal, stop)
  })
}

/**
 * For SIGHUP from an operator. A terminal that is closed sends it too, to the whole group: then the process ends as it would
 * without us. Its log has nowhere to go any more, and pino would try for ever.
 */
export function onHangUp (work: () => void): void {
  const hangUp = () => {
    const terminalHasGone = process.stdout.isTTY && !isatty(process.stdout.fd)
    if (!terminalHasGone) { work(); return }
    process.off('SIGHUP', hangUp)
    process.kill(process.pid, 'SIGHUP')
  }
  process.on('SIGHUP', hangUp)
}
