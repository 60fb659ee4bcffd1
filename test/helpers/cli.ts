import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { MAIN, surroundings } from './processes.ts'

export type Ended = { code: number | null, stdout: string, stderr: string }

/** A command as an operator types it, with nothing in the environment but `env`, from start to end. */
export async function cli (t: Pick<Test, 'teardown'>, args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...surroundings(), ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', chunk => { stdout += chunk })
  child.stderr.on('data', chunk => { stderr += chunk })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr }
}

/** What an operator meets who made a mistake: exit 1 and the reason in words; no stack, no other text. */
export function refusedBecause (t: Test, { code, stdout, stderr }: Ended, reason: RegExp): void {
  t.equal(code, 1)
  t.match(stderr, reason)
  t.notMatch(stderr, /^\s+at |Error:/m, 'no stack')
  t.ok(stderr.trim().split('\n').length <= 2, 'one sentence', { stderr })
  t.notMatch(stdout, /"listening"/)
}
