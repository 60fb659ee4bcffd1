import { dictionary } from '@zxcvbn-ts/language-common'
import t from 'tap'
import { MAX_PASSWORD_BYTES, MAX_PASSWORD_CHARACTERS, passwordWeaknesses, weaknessMessages } from '../../src/core/passwords/policy.ts'

const judge = (password: string, { minLength = 15, context = [] as string[] } = {}) => passwordWeaknesses(password, { minLength, context })
const list = dictionary['passwords-common'] as string[]

t.test('every password of the list that is long enough is refused, in any case of letters', async t => {
  for (const minLength of [8, 15]) {
    const longEnough = list.filter(password => [...password].length >= minLength)
    t.ok(longEnough.length > 30)
    for (const spelled of [(word: string) => word, (word: string) => word.toUpperCase(), (word: string) => word[0]!.toUpperCase() + word.slice(1)]) {
      t.strictSame(longEnough.filter(password => !judge(spelled(password), { minLength }).includes('common')), [])
    }
  }
})

t.test('a short common password is not made good by digits, marks or a second one', async t => {
  for (const password of ['unbelievable2026!', '!!!unbelievable!', 'sunshinepassword', 'passwordsunshine', 'footballdragons', 'christopher12345', 'Christopher1234!']) t.ok(judge(password).length > 0, password)
})

t.test('runs along the keyboard or the alphabet are refused, in both directions and joined', async t => {
  for (const password of ['qwertyuiopasdfgh', 'hgfdsapoiuytrewq', 'abcdefghijklmnop', 'ponmlkjihgfedcba', '1qaz2wsx3edc4rfv', 'qwertzuiopasdfgh', 'azertyuiopqsdfgh', '0123456789012345', '9876543210987654', 'qwertyuiop1234567', 'abcdefgh12345678', 'QWERTYUIOPASDFGH', 'asdfghjklqwertyuiop']) {
    t.ok(judge(password).includes('repetitive'), password)
  }
})

t.test('repeats are refused: one letter, few letters, or one piece again and again', async t => {
  for (const password of ['aaaaaaaaaaaaaaaaaaaa', 'abababababababab', 'abcabcabcabcabcab', 'xk7mxk7mxk7mxk7m', 'hunter2!hunter2!', '                    ', '😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀']) t.ok(judge(password).includes('repetitive'), password)
})

t.test('the service, the name and the address of a person do not make their password', async t => {
  const context = ['stateless-auth', 'auth.example.com', 'ada.lovelace@example.com', 'Ada Lovelace']
  for (const password of ['lovelace-lovelace', 'StatelessLovelace', 'lovelace@example.com', 'LOVELACE-example1', 'auth.example.com!!']) t.ok(judge(password, { context }).includes('contextual'), password)
  for (const password of ['lovelace keeps nine grey owls', 'my stateless trombone collection']) t.strictSame(judge(password, { context }), [], password)
})

t.test('good pass phrases are taken, in any script and without rules of composition', async t => {
  for (const password of ['a long enough pass phrase', 'wander copper lantern mist', 'tulip orbit gravel nine', 'zvqkwmhtrlxpbnd', 'ich mag keine Rüben', 'καλημέρα στον κόσμο', '我喜欢在雨天喝热茶看书听音乐写代码', '🦊 runs over 🌉 at dawn', '7391 0482 5516 2047', 'x7Gq-p2Lm-v9Rt-k4']) t.strictSame(judge(password), [], password)
})

t.test('length is counted in characters that people see as typed, not in bytes', async t => {
  t.strictSame(judge('zvqkwmhtrlxpbn'), ['too_short'], '14')
  t.strictSame(judge('zvqkwmhtrlxpbnd'), [], '15')
  t.ok(judge('🦊🌉🎺🧊🪁🦉🍋').includes('too_short'), 'seven characters of 28 bytes')
  t.ok(judge('u\u0308bo\u0308a\u0308zvqkwmhtrl').includes('too_short'), 'decomposed letters count once: 14')
  const long = Array.from({ length: MAX_PASSWORD_CHARACTERS }, (_, at) => String.fromCodePoint(0x4e00 + at * 7)).join('')
  t.strictSame(judge(long), [])
  t.strictSame(judge(`${long}x`), ['too_long'])
  t.strictSame(judge('🦊'.repeat(MAX_PASSWORD_BYTES / 4 + 1)), ['too_long'])
})

t.test('a long hostile password is judged at once, and every weakness has its sentence', async t => {
  t.strictSame(judge('a'.repeat(10_000_000)), ['too_long'])
  t.same(Object.keys(weaknessMessages).sort(), ['breached', 'common', 'contextual', 'repetitive', 'too_long', 'too_short'])
})
