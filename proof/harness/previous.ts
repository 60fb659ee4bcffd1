import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { StartError } from '../../src/errors.ts'

/**
 * The release before this one, which must run beside it on one database: here the last commit without the tables of an account's life, three migrations
 * behind. With a release it moves to the one before, and what is contracted then is what that one did without.
 */
const PREVIOUS = '6fced9b02f002429a38eb7a26c471bda3858f084'

const run = promisify(execFile)

/** @returns its `main.ts`, below this checkout. Made once; `.data/` keeps it. */
export async function previousRelease (): Promise<string> {
  const folder = `.data/previous/${PREVIOUS}`
  if (!existsSync(folder)) {
    await run('git', ['cat-file', '-e', `${PREVIOUS}^{commit}`]).catch(() => {
      throw new StartError(`The release before, ${PREVIOUS}, is not in this clone. Is it a shallow one? \`git fetch --unshallow\`.`)
    })
    const making = `${folder}.making`
    await rm(making, { recursive: true, force: true })
    await mkdir(making, { recursive: true })
    const archive = join(making, 'source.tar')
    await run('git', ['archive', `--output=${archive}`, PREVIOUS, 'package.json', 'package-lock.json', 'prisma', 'prisma.config.ts', 'src'])
    await run('tar', ['-xf', 'source.tar'], { cwd: making })
    if (await hasWhatItNeeds(making)) await symlink('../../../node_modules', join(making, 'node_modules'))
    else await run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: making })
    await run(process.execPath, ['node_modules/prisma/build/index.js', 'generate'], { cwd: making })
    await rename(making, folder)
  }
  return `${folder}/src/cli/main.ts`
}

/** What it depends on is installed here, in the very same versions. */
async function hasWhatItNeeds (folder: string): Promise<boolean> {
  const { dependencies, devDependencies: { prisma } } = await json(join(folder, 'package.json'))
  const installed = await Promise.all(Object.entries({ ...dependencies, prisma }).map(async ([name, version]) =>
    await json(`node_modules/${name}/package.json`).then(found => found.version === version, () => false)))
  return installed.every(Boolean)
}

const json = async (path: string): Promise<any> => JSON.parse(await readFile(path, 'utf8'))
