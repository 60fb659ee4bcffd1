import { AppError } from '../../errors.ts'
import type { BreachedPasswords } from './breached.ts'
import type { Weakness } from './policy.ts'

type Deps = { config: { passwordMinLength: number, publicUrl: string }, breached: BreachedPasswords }
/** Whose it is to be: what an attacker would try first. `pointer` is where the password stands in the body. */
export type Intended = { email: string, name: string | null, pointer: '/password' | '/new_password' }

/**
 * Whether a new password may be one, wherever it is set: sign-up, change and reset. What the local list knows is never asked about elsewhere.
 * @throws weak_password
 */
export async function judgePassword ({ config, breached }: Deps, password: string, { email, name, pointer }: Intended): Promise<void> {
  // With the lists of passwords that everybody knows, which only this needs.
  const { passwordWeaknesses, weaknessMessages } = await import('./policy.ts')
  const context = ['stateless-auth', new URL(config.publicUrl).hostname, email, name ?? '']
  const weaknesses: Weakness[] = passwordWeaknesses(password, { minLength: config.passwordMinLength, context })
  if (weaknesses.length === 0 && await breached.has(password)) weaknesses.push('breached')
  if (weaknesses.length > 0) throw new AppError('weak_password', { errors: weaknesses.map(code => ({ pointer, code, message: weaknessMessages[code] })) })
}
