import { readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import t from 'tap'
import { Passwords } from '../../src/core/passwords/hash.ts'

t.test('the threads that hash give way to the one that answers', { skip: process.platform !== 'linux' && 'Linux alone has priorities of threads' }, async t => {
  const before = getPriority(process.pid)
  await new Passwords({ argon2MemoryKib: 7168, argon2Passes: 5 }).selfTest()
  const threads = readdirSync('/proc/self/task').map(id => ({ name: readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim(), priority: getPriority(Number(id)) }))
  const pool = threads.filter(({ name }) => name === 'libuv-worker')
  t.ok(pool.length > 0)
  t.ok(pool.every(({ priority }) => priority > before))
  t.ok(threads.filter(({ name }) => name !== 'libuv-worker').every(({ priority }) => priority === before), 'and no other')
})
