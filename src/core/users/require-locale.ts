import { AppError } from '../../errors.ts'

/** RFC 5646 §2.1.1: one spelling, so that a language is found by it. @throws invalid_request */
export function requireLocale (locale: string): string {
  try { return Intl.getCanonicalLocales(locale)[0]! } catch {
    throw new AppError('invalid_request', { errors: [{ pointer: '/locale', code: 'format', message: 'must be a language tag (BCP 47)' }] })
  }
}
