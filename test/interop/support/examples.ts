import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { raw, request, type Answer } from '../../gateways/support/gateway.ts'

type Command = { program: string, args: string[], env?: Record<string, string> }
type Example = { folder: string, verifier: string, build: Command[], run: Command }
export type Language = 'Python' | 'Go' | 'Java' | 'Rust'
export type Running = {
  language: Language
  ask: (token: string) => Promise<Answer>
  /** With these header lines instead. */
  askWith: (...headers: string[]) => Promise<Answer>
}

/** What compilers leave behind is kept, ignored by git, so that the next run has less to do. */
const built = (path: string): string => resolve('.data/interop', path)
const inFolder = (path: string): string => resolve('examples', path)

/** The commands of the page, with the outcome elsewhere. */
const EXAMPLES: Record<Language, Example> = {
  Python: {
    folder: 'python',
    verifier: 'verifier.py',
    build: [
      ...(existsSync(built('python/bin/pip')) ? [] : [{ program: 'python3', args: ['-m', 'venv', built('python')] }]),
      { program: built('python/bin/pip'), args: ['install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r', 'requirements.txt'] },
    ],
    run: { program: built('python/bin/python'), args: ['server.py'], env: { PYTHONDONTWRITEBYTECODE: '1' } },
  },
  Go: {
    folder: 'go',
    verifier: 'verifier.go',
    build: [{ program: 'go', args: ['vet', '.'] }, { program: 'go', args: ['build', '-o', built('go/verify'), '.'] }],
    run: { program: built('go/verify'), args: [] },
  },
  Java: {
    folder: 'java',
    verifier: 'src/main/java/example/Verifier.java',
    build: [{ program: 'mvn', args: ['--quiet', '--batch-mode', 'package'] }],
    run: { program: 'java', args: ['-XX:TieredStopAtLevel=1', '-jar', 'target/verify-example.jar'] },
  },
  Rust: {
    folder: 'rust',
    verifier: 'src/verifier.rs',
    build: [{ program: 'cargo', args: ['build', '--quiet', '--locked', '--target-dir', built('rust')] }],
    run: { program: built('rust/debug/verify-example'), args: [] },
  },
}
export const LANGUAGES = Object.keys(EXAMPLES) as Language[]

export const sourceOf = (language: Language): string => readFileSync(inFolder(`${EXAMPLES[language].folder}/${EXAMPLES[language].verifier}`), 'utf8')

/** A missing toolchain is a failure: a test that skips itself is not run for years before anybody notices. */
export async function build (language: Language): Promise<void> {
  const { folder, build } = EXAMPLES[language]
  for (const { program, args, env } of build) {
    try {
      await promisify(execFile)(program, args, { cwd: inFolder(folder), env: { ...process.env, ...env }, maxBuffer: 2 ** 26 })
    } catch (cause) {
      const { code, stdout, stderr } = cause as { code?: unknown, stdout?: string, stderr?: string }
      if (code === 'ENOENT') throw new Error(`${program} is missing, which the example in ${language} needs`)
      throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`, { cause })
    }
  }
}

/** Its service, until the test ends. */
export async function start (t: Pick<Test, 'teardown'>, language: Language, env: Record<string, string>): Promise<Running> {
  const { folder, run } = EXAMPLES[language]
  const child = spawn(run.program, run.args, { cwd: inFolder(folder), env: { PATH: process.env['PATH'], PORT: '0', ...run.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  t.teardown(async () => { child.kill('SIGKILL'); await ended })
  const lines = createInterface(child.stdout)
  const port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec((await lines[Symbol.asyncIterator]().next()).value ?? '')?.[1])
  if (!port) throw new Error(`the example in ${language} does not say where it listens`)
  const askWith = async (...headers: string[]) => await raw(port, request('GET', '/private', headers))
  return { language, askWith, ask: async token => await askWith(`Authorization: Bearer ${token}`) }
}
