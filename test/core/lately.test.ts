import t from 'tap'
import { Lately } from '../../src/core/passwords/lately.ts'

t.test('a turn is remembered for a minute at least and two at most', async t => {
  let now = 1_000
  const lately = new Lately(() => now)
  t.equal(lately.count('ada'), 0)
  lately.note('ada')
  now += 59_000
  lately.note('ada')
  t.equal(lately.count('ada'), 2)
  now += 2_000
  lately.note('bob')
  t.equal(lately.count('ada'), 2, 'of the minute before')
  now += 61_000
  t.equal(lately.count('ada'), 0)
  t.equal(lately.count('bob'), 1)
  now += 600_000
  t.equal(lately.count('bob'), 0, 'also when nobody came for long')
})

t.test('however many there are, it stays bounded', async t => {
  const lately = new Lately(() => 0)
  for (let n = 0; n < 300_000; n++) lately.note(String(n))
  t.equal(lately.count('0'), 0, 'the oldest are forgotten')
  t.equal(lately.count('299999'), 1)
})
