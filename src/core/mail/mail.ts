/**
 * One mail that is to be sent. Ids and addresses, never a token: the link is made when it is sent, and whoever reads the
 * queue can sign in nowhere. Where a request must not tell whether an address has an account, the address is all there is, and whoever sends looks the user up.
 */
export type Mail =
  /** Confirm the address; also on a new account. Sent only while the address of the account is not confirmed. */
  | { kind: 'verify_email', email: string }
  /** Sign-up with an address that has an account: nothing was changed; with a link to set a new password. */
  | { kind: 'known_address', email: string }
  /** A link to set a new password. Nothing is sent where there is no active account. */
  | { kind: 'reset_password', email: string }
  /** An account that an administrator made: a link to set its first password. */
  | { kind: 'invitation', user_id: string }
  /** To the new address: confirm that it is to take the place of the old. */
  | { kind: 'confirm_email_change', user_id: string, old_email: string, new_email: string, epoch: number }
  /** To the old address: somebody asked for that, or (`done`) it has happened. */
  | { kind: 'email_change_requested' | 'email_changed', user_id: string, old_email: string, new_email: string }
  | { kind: 'password_changed', user_id: string }
  /** Wrong guesses reached their cap: no browser of that class (never used by the owner, or used before) can sign in until a reset. */
  | { kind: 'sign_in_locked', user_id: string }
  /** A spent refresh token came back. */
  | { kind: 'session_reused', user_id: string }
  /** The account is gone, so what is needed to say so travels along. */
  | { kind: 'account_deleted', email: string, locale: string | null }

export type MailKind = Mail['kind']
