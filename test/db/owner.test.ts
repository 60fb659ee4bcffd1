import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'

const OWNER = new URL('../../src/db/embedded/owner.ts', import.meta.url).href
/** Claims the file at the given moment, says how that went, and lives until its standard input ends. */
const CLAIM = `
const { claimOwnership } = await import('${OWNER}')
while (Date.now() < Number(process.argv[2]));
process.stdout.write(await claimOwnership(process.argv[1], 'the folder').then(() => 'won', error => error.name))
process.stdin.resume()`

t.test('of four processes that start at the same moment one owns the embedded database', async t => {
  for (let round = 0; round < 3; round++) {
    const folder = t.testdir()
    const file = join(folder, 'owner.pid')
    const moment = String(Date.now() + 1_500)
    const children = Array.from({ length: 4 }, () => spawn(process.execPath, ['--input-type=module', '-e', CLAIM, file, moment], { stdio: ['pipe', 'pipe', 'inherit'] }))
    const outcomes = await Promise.all(children.map(async child => String((await once(child.stdout, 'data'))[0])))
    for (const child of children) child.stdin.end()
    await Promise.all(children.map(async child => await once(child, 'exit')))
    t.strictSame(outcomes.sort(), ['StartError', 'StartError', 'StartError', 'won'])
    t.strictSame(await readdir(folder), ['owner.pid'], 'nothing else is left')
  }
})
