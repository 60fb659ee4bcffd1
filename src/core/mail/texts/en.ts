import type { Texts } from '../template.ts'

export const en: Texts = {
  verify_email: `Subject: Confirm your e-mail address

Somebody, probably you, opened an account at {{service}} with this e-mail address. To confirm the address, follow this link:

{{link}}

It works for {{valid_for}}. If it was not you, you need do nothing.
`,
  known_address: `Subject: You have an account already

Somebody, probably you, tried to open an account at {{service}} with this e-mail address. It has one already, and nothing was changed.
If you do not know its password any more, set a new one here:

{{link}}

The link works for {{valid_for}}. If it was not you, you need do nothing.
`,
  reset_password: `Subject: Set a new password

Somebody, probably you, asked for a new password at {{service}}. To set one, follow this link:

{{link}}

It works once, and for {{valid_for}}. If it was not you, you need do nothing: your password still holds.
`,
  invitation: `Subject: Your account at {{service}}

An account was made for you at {{service}}. To set your password, follow this link:

{{link}}

It works once, and for {{valid_for}}. After that, ask for a new password where you sign in.
`,
  confirm_email_change: `Subject: Confirm your new e-mail address

Your account at {{service}} is to have this e-mail address in the place of {{old_email}}. To confirm that, follow this link:

{{link}}

It works for {{valid_for}}. If it was not you who asked for that, do not follow it.
`,
  email_change_requested: `Subject: Your e-mail address is about to be changed

Somebody, probably you, asked for your account at {{service}} to have the e-mail address {{new_email}} in the place of this one. The change happens when it is confirmed from there.

If it was not you, sign in, change your password and sign out everywhere: whoever asked knew your password.
`,
  email_changed: `Subject: Your e-mail address was changed

Your account at {{service}} has the e-mail address {{new_email}} now, in the place of this one. You were signed out everywhere.

If it was not you, tell whoever runs {{service}} at once.
`,
  password_changed: `Subject: Your password was changed

The password of your account at {{service}} was changed, and you were signed out elsewhere.

If it was not you, set a new password at once: ask for one where you sign in, {{service_url}}
`,
  sign_in_locked: `Subject: Too many wrong passwords

There were so many wrong passwords for your account at {{service}} that new browsers cannot sign in any more. A browser that you use already still can.

If you want to sign in with a new one, set a new password first:

{{link}}

The link works once, and for {{valid_for}}. After that, ask for a new password where you sign in.
`,
  session_reused: `Subject: We ended one of your sessions

One of your sessions at {{service}} was used from two places at once. That happens when somebody has copied it, and it was ended.

Sign in again. If that keeps happening, change your password, and look for software on your device that you do not know.
`,
  account_deleted: `Subject: Your account was deleted

Your account at {{service}} was deleted, and everything in it.

If it was not you, tell whoever runs {{service}} at once.
`,
}
