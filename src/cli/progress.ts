const BAR = 24
const REDRAW_MS = 200
const LINE_MS = 10_000

type Terminal = { isTTY?: boolean, write: (text: string) => unknown }

const thousands = (count: number): string => count.toLocaleString('en')

/** How far a long work is: a bar that is drawn over itself on a terminal, a line every ten seconds elsewhere. */
export function progress (terminal: Terminal, { total, unit, now }: { total: number | null, unit: string, now: () => number }): { at: (read: number, done: number) => void, end: () => void } {
  const startedAt = now()
  const interval = terminal.isTTY ? REDRAW_MS : LINE_MS
  let last = terminal.isTTY ? 0 : startedAt
  return {
    at: (read, done) => {
      if (now() - last < interval) return
      last = now()
      const seconds = (now() - startedAt) / 1000
      const rate = `${thousands(done)} ${unit}, ${thousands(Math.round(done / Math.max(seconds, 0.001)))}/s`
      const part = total === null || total === 0 ? null : Math.min(1, read / total)
      const percent = part === null ? '' : `${Math.floor(part * 100)} %, `
      if (!terminal.isTTY) { terminal.write(`${percent}${rate}\n`); return }
      const bar = part === null ? '' : `[${'#'.repeat(Math.round(part * BAR)).padEnd(BAR)}] `
      const left = part === null || part === 0 ? '' : `, ${Math.ceil(seconds * (1 - part) / part)} s left`
      terminal.write(`\r\x1b[K${bar}${percent}${rate}${left}`)
    },
    end: () => { if (terminal.isTTY && last !== 0) terminal.write('\r\x1b[K') },
  }
}
