import { dictionary } from '@zxcvbn-ts/language-common'

export const MAX_PASSWORD_CHARACTERS = 256
export const MAX_PASSWORD_BYTES = 1_024

export type Weakness = 'too_short' | 'too_long' | 'common' | 'repetitive' | 'contextual' | 'breached'

export const weaknessMessages: Record<Weakness, string> = {
  too_short: 'It is too short.',
  too_long: `It is longer than ${MAX_PASSWORD_CHARACTERS} characters.`,
  common: 'It is among the passwords that are tried first.',
  repetitive: 'It repeats itself or runs along the keyboard or the alphabet.',
  contextual: 'It is made from your name, your address or the name of this service.',
  breached: 'It has been seen in a breach of another service.',
}

const reversed = (text: string): string => [...text].reverse().join('')

/** Runs that hands type without thinking, in both directions. */
const RUNS = ['abcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiopasdfghjklzxcvbnm', 'qwertzuiopasdfghjklyxcvbnm', 'azertyuiopqsdfghjklmwxcvbn',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p', '1q2w3e4r5t6y7u8i9o0p', 'q1w2e3r4t5y6u7i8o9p0', 'qazwsxedcrfvtgbyhnujmikolp', 'a1b2c3d4e5f6g7h8i9j0']
  .flatMap(run => [run, reversed(run)])
const LONGEST_RUN = Math.max(...RUNS.map(run => run.length))

let commonPasswords: ReadonlySet<string> | undefined

/**
 * Length and a block list, as NIST SP 800-63B-4 §3.1.1.2 asks, and no rules of composition. The list holds 49,000 of the
 * passwords tried first; few are long, so what makes a long one out of them is refused too: joining two, padding one
 * with digits, repeating, running along the keyboard.
 * @param context words an attacker would try for this person here: service, name, address
 */
export function passwordWeaknesses (password: string, { minLength, context }: { minLength: number, context: readonly string[] }): Weakness[] {
  const normal = password.normalize('NFC')
  const length = [...normal].length
  if (length > MAX_PASSWORD_CHARACTERS || Buffer.byteLength(normal) > MAX_PASSWORD_BYTES) return ['too_long']
  const folded = normal.toLowerCase()
  return ([
    ['too_short', length < minLength],
    ['common', isCommon(folded)],
    ['repetitive', isRepetitive(folded)],
    ['contextual', isContextual(folded, context, minLength)],
  ] as const).flatMap(([weakness, applies]) => applies ? [weakness] : [])
}

function isCommon (folded: string): boolean {
  commonPasswords ??= new Set(dictionary['passwords-common'] as string[])
  const core = folded.replace(/^[\d\W_]+|[\d\W_]+$/gu, '')
  if (commonPasswords.has(folded) || (core.length * 2 >= folded.length && commonPasswords.has(core))) return true
  for (let at = 4; at <= folded.length - 4 && folded.length <= 32; at++) {
    if (commonPasswords.has(folded.slice(0, at)) && commonPasswords.has(folded.slice(at))) return true
  }
  return false
}

/** Fewer than five different characters, one unit of at most eight repeated, or nothing but runs. */
function isRepetitive (folded: string): boolean {
  if (new Set(folded).size < 5) return true
  for (let unit = 1; unit <= Math.min(8, folded.length / 2); unit++) {
    const repeated = folded.slice(0, unit).repeat(Math.ceil(folded.length / unit)).slice(0, folded.length)
    if (repeated === folded) return true
  }
  return runsOnly(folded)
}

/** Can the whole be cut into pieces of at least four characters that each lie in a run, read either way? In time that a password of 256 characters cannot stretch. */
function runsOnly (folded: string): boolean {
  let rest = folded
  while (rest.length > 0) {
    let taken = Math.min(rest.length, LONGEST_RUN)
    while (taken >= 4 && !RUNS.some(run => run.includes(rest.slice(0, taken)))) taken--
    if (taken < 4) return false
    rest = rest.slice(taken)
  }
  return true
}

/** What is left once the context words are taken out must still be half a password. */
function isContextual (folded: string, context: readonly string[], minLength: number): boolean {
  const words = context.flatMap(entry => entry.normalize('NFC').toLowerCase().split(/[^\p{L}\p{N}]+/u)).filter(word => word.length >= 4)
  const left = words.sort((a, b) => b.length - a.length).reduce((text, word) => text.replaceAll(word, ''), folded)
  return left.length < folded.length && [...left].length < minLength / 2
}
