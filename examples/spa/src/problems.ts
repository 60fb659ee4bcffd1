import { AuthError } from 'stateless-auth-client'

const sentences: Record<string, string> = {
  invalid_credentials: 'The e-mail address or the password is wrong.',
  email_not_verified: 'Please confirm your e-mail address first: open the link in the mail we sent you.',
  email_taken: 'This e-mail address has an account already.',
  invalid_request: 'Please look at what you entered once more.',
  invalid_action_token: 'This link is not valid, or not any more. Please ask for a new one.',
  token_used: 'This link has been used before.',
  session_ended: 'Your session has ended. Please sign in again.',
  no_session: 'Please sign in again.',
  too_many_requests: 'That was tried too often. Please wait a while and try again.',
  login_busy: 'Many people are signing in at this moment. Please try again in a few seconds.',
}

const weak: Record<string, string> = {
  too_short: 'The password is too short.',
  too_long: 'The password is too long.',
  common: 'This password is among those that are tried first.',
  breached: 'This password is known from a data breach.',
  repetitive: 'The password repeats itself or runs along the keyboard or the alphabet.',
  contextual: 'The password is made from your name, your address or the name of this service.',
}

/** What went wrong, for people. A code is stable, its title is not meant for them. */
export function sentenceFor (error: unknown): string {
  if (!(error instanceof AuthError)) return 'The service cannot be reached. Please check your connection and try again.'
  if (error.code === 'weak_password') return error.errors?.map(({ code }) => weak[code] ?? 'The password is too easy to guess.').join(' ') || 'The password is too easy to guess.'
  return sentences[error.code] ?? 'That cannot be done just now. Please try again in a moment.'
}

export const codeOf = (error: unknown): string | null => error instanceof AuthError ? error.code : null
