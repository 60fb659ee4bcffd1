import { availableParallelism } from 'node:os'
import t from 'tap'
import { Admission, hashConcurrency } from '../../src/core/passwords/admission.ts'

/** Hashes that end when the test says so. */
function hashes (admission: Admission) {
  const running: { name: string, end: () => void, fail: () => void }[] = []
  const started: string[] = []
  const submit = (name: string, bucket = name, signal?: AbortSignal) => {
    const result = admission.admit(bucket, signal, async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      started.push(name)
      running.push({ name, end: resolve, fail: () => reject(new Error(`${name} failed`)) })
      await promise
      return name
    })
    result.catch(() => {})
    return result
  }
  const settle = async () => await new Promise(resolve => setImmediate(resolve))
  const endOne = async () => { running.shift()!.end(); await settle() }
  return { submit, running, started, endOne, settle }
}

t.test('an address that floods delays itself, and another gets the turn after the next', async t => {
  const { submit, started, endOne } = hashes(new Admission(1))
  for (let i = 0; i < 9; i++) submit(`flood-${i}`, 'flood')
  submit('ada')
  submit('bob')
  await endOne()
  await endOne()
  await endOne()
  t.strictSame(started, ['flood-0', 'flood-1', 'ada', 'bob'])
})

t.test('addresses take turns, each in its own order', async t => {
  const { submit, started, endOne } = hashes(new Admission(1))
  for (const name of ['first', 'a1', 'a2', 'a3', 'b1', 'b2', 'c1']) submit(name, name[0]!)
  for (let i = 0; i < 6; i++) await endOne()
  t.strictSame(started, ['first', 'a1', 'b1', 'c1', 'a2', 'b2', 'a3'])
})

t.test('one address may have eight waiting; the ninth is told when to come back', async t => {
  const { submit } = hashes(new Admission(1))
  submit('running', 'x')
  for (let i = 0; i < 8; i++) submit(`${i}`, 'x')
  await t.rejects(submit('ninth', 'x'), { code: 'login_busy' })
  const error = await submit('ninth', 'x').catch(error => error)
  t.ok(error.extra.retryAfterSeconds >= 1 && error.extra.retryAfterSeconds <= 5)
})

t.test('no more wait than two seconds of hashing, from however many addresses', async t => {
  const admission = new Admission(2)
  const { submit, running, started, settle } = hashes(admission)
  const answers = Array.from({ length: 500 }, (_, i) => submit(`${i}`).then(() => 'done', error => error.code as string))
  await settle()
  t.equal(running.length, 2, 'two run')
  t.equal(admission.waiting, 200, '2 × 2,000 ms at 20 ms')
  while (running.length > 0) { running.shift()!.end(); await settle() }
  const verdicts = await Promise.all(answers)
  t.equal(verdicts.filter(verdict => verdict === 'login_busy').length, 298)
  t.equal(started.length, 202)
  t.equal(admission.waiting, 0)
})

t.test('where no more may wait, an address that has less takes the last place of one that has most, and no other does', async t => {
  const admission = new Admission(1)
  const { submit, started, endOne } = hashes(admission)
  submit('running')
  const floods = Array.from({ length: 100 }, (_, i) => ({ name: `${i}`, outcome: submit(`${i}`, `flood ${i % 13}`).then(() => 'done', error => error.code as string) }))
  t.equal(admission.waiting, 100)
  const ada = submit('ada')
  t.equal(admission.waiting, 100)
  await t.rejects(submit('one more', 'flood 12'), { code: 'login_busy' }, 'who has as much gets nothing')
  while (admission.waiting > 0) await endOne()
  await endOne()
  t.equal(await ada, 'ada')
  t.ok(started.indexOf('ada') < 16, 'in its turn')
  const verdicts = await Promise.all(floods.map(async ({ name, outcome }) => ({ name, outcome: await outcome })))
  t.strictSame(verdicts.filter(({ outcome }) => outcome !== 'done'), [{ name: '91', outcome: 'login_busy' }])
})

t.test('a client that hangs up gives its place back, and its hash never runs', async t => {
  const admission = new Admission(1)
  const { submit, started, endOne } = hashes(admission)
  submit('running', 'x')
  const leaving = new AbortController()
  const left = submit('left', 'x', leaving.signal)
  for (let i = 0; i < 7; i++) submit(`${i}`, 'x')
  await t.rejects(submit('early', 'x'), { code: 'login_busy' })
  leaving.abort()
  await t.rejects(left, { name: 'AbortError' })
  t.equal(admission.waiting, 7)
  submit('late', 'x')
  for (let i = 0; i < 9; i++) if (admission.waiting > 0) await endOne()
  t.strictSame(started, ['running', '0', '1', '2', '3', '4', '5', '6', 'late'])
})

t.test('a client that has gone before its turn is asked for takes no place at all', async t => {
  const admission = new Admission(1)
  const { submit, started } = hashes(admission)
  submit('running')
  await t.rejects(submit('gone', 'gone', AbortSignal.abort()), { name: 'AbortError' })
  t.equal(admission.waiting, 0)
  t.strictSame(started, ['running'])
})

t.test('a client that hangs up during its hash keeps the permit until the hash ends: aborting is no way to run more', async t => {
  const admission = new Admission(1)
  const { submit, started, endOne, settle } = hashes(admission)
  const leaving = new AbortController()
  const result = submit('left', 'x', leaving.signal)
  submit('next', 'y')
  leaving.abort()
  await settle()
  t.strictSame(started, ['left'])
  await endOne()
  t.equal(await result, 'left')
  t.strictSame(started, ['left', 'next'])
})

t.test('a hash that fails frees its permit', async t => {
  const { submit, started, running, settle } = hashes(new Admission(1))
  const failing = submit('failing')
  submit('next')
  running.shift()!.fail()
  await t.rejects(failing, { message: 'failing failed' })
  await settle()
  t.strictSame(started, ['failing', 'next'])
})

t.test('the workers of a machine share its hashes: one core is left, and each worker has one at least', async t => {
  const cores = availableParallelism()
  t.equal(hashConcurrency(1), Math.max(1, cores - 1))
  for (let workers = 1; workers <= 2 * cores; workers++) t.ok(hashConcurrency(workers) * workers <= Math.max(workers, cores - 1), `${workers} workers`)
  t.equal(hashConcurrency(1_000), 1)
})

t.test('where many addresses flood, each with one or two, an address that had no turn lately gets a place, and a refusal is no turn', async t => {
  const admission = new Admission(1, () => 100)
  const { submit, started, endOne } = hashes(admission)
  // Sixty had a turn, and then a hundred and one want one: the same sixty among them.
  for (let i = 0; i < 60; i++) submit(`before ${i}`, `flood ${i}`)
  while (started.length < 60) await endOne()
  await endOne()
  submit('running', 'nobody')
  const floods = Array.from({ length: 100 }, (_, i) => submit(`${i}`, `flood ${i}`).then(() => null, () => i))
  t.equal(admission.waiting, 100)
  await t.rejects(submit('again', 'flood 99'), { code: 'login_busy' }, 'who waits already has no claim to another place')
  await t.rejects(submit('more', 'flood 0'), { code: 'login_busy' }, 'nor has who had a turn')
  for (let i = 0; i < 3; i++) submit('ada', 'ada').catch(() => {})
  const bob = submit('bob')
  while (admission.waiting > 0) await endOne()
  await endOne()
  t.equal(await bob, 'bob')
  t.equal(started.filter(name => name === 'ada').length, 1, 'a second place would be more than the others have')
  t.strictSame((await Promise.all(floods)).filter(at => at !== null).every(at => at < 60), true, 'those who made room had had a turn')
})
