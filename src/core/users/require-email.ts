import { AppError } from '../../errors.ts'
import { canonicalEmail } from '../../lib/email-address.ts'

/** The canonical form of an address in a body. What is no address is said to be none: that tells nothing about accounts. @throws invalid_request */
export function requireEmail (input: string, pointer = '/email'): string {
  const email = canonicalEmail(input)
  if (email === null) throw new AppError('invalid_request', { errors: [{ pointer, code: 'format', message: 'must be an e-mail address' }] })
  return email
}
