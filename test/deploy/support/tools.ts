import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'

export const TOOLS = resolve('.data/deploy-tools')

export type Ran = { ok: boolean, stdout: string, stderr: string }

/** A tool that test/deploy/tools.sh has made. Whether it liked what it got is for the test to judge. */
export async function runTool (name: 'helm' | 'kubeconform' | 'compose-model', args: string[], { env = {}, cwd, input = '' }: { env?: Record<string, string>, cwd?: string, input?: string } = {}): Promise<Ran> {
  const program = resolve(TOOLS, name)
  if (!existsSync(program)) throw new Error(`${program} is missing: bash test/deploy/tools.sh`)
  const running = promisify(execFile)(program, args, { env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }, maxBuffer: 64 * 1024 * 1024, ...(cwd !== undefined && { cwd }) })
  running.child.stdin!.on('error', () => {}).end(input)
  return await running.then(({ stdout, stderr }) => ({ ok: true, stdout, stderr }), ({ stdout, stderr }: Ran) => ({ ok: false, stdout, stderr }))
}
