import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

const PAGE = 'docs/clients.md'
const CONTRACT = 'openapi.yaml'

/** A section of the page: its folder under test/clients, the commands that make the client, and the last, which runs it. */
export type Language = { title: string, name: string, making: string[], running: string }

export const languages = (): Language[] => [...readFileSync(PAGE, 'utf8').matchAll(/^## (.+)\n[^#]*?\(\.\.\/test\/clients\/([a-z-]+)\)[^#]*?```sh\n([^`]+)\n```/gm)]
  .map(([, title, name, commands]) => ({ title: title!, name: name!, making: commands!.split('\n').slice(0, -1), running: commands!.split('\n').at(-1)! }))

/** Made once for each state of the contract, the folder and the page. @returns where it is, and what it took */
export async function prepare ({ name, making }: Language): Promise<{ folder: string, seconds: number }> {
  const from = join('test/clients', name)
  const folder = resolve('.data/clients', name)
  const files = (await readdir(from, { recursive: true, withFileTypes: true })).filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name)).sort()
  const hash = createHash('sha256').update(making.join('\n'))
  for (const file of [CONTRACT, ...files]) hash.update(file).update(await readFile(file))
  const key = hash.digest('hex')
  const made = join(folder, '.made-from')
  if (await readFile(made, 'utf8').catch(() => '') === key) return { folder, seconds: 0 }

  const begun = performance.now()
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await cp(from, folder, { recursive: true })
  await cp(CONTRACT, join(folder, CONTRACT))
  await shell(making.join('\n'), folder)
  await writeFile(made, key)
  return { folder, seconds: Math.round((performance.now() - begun) / 1000) }
}

export const start = async ({ running }: Language, folder: string, url: string): Promise<string> => stripVTControlCharacters(await shell(running, folder, { AUTH_URL: url }))

/** @returns what it printed. @throws with what else it said, when it does not end well */
export async function shell (commands: string, cwd: string, env: Record<string, string> = {}): Promise<string> {
  return await new Promise((resolve, reject) => {
    execFile('bash', ['-euo', 'pipefail', '-c', commands], { cwd, env: { ...process.env, ...env }, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error) reject(new Error(`${commands}\n${(stdout + stderr).slice(-4_000)}`))
      else resolve(stdout)
    })
  })
}
