import type { Texts } from '../template.ts'

export const de: Texts = {
  verify_email: `Subject: Bestätigen Sie Ihre E-Mail-Adresse

Jemand, vermutlich Sie, hat mit dieser E-Mail-Adresse ein Konto bei {{service}} angelegt. Um die Adresse zu bestätigen, öffnen Sie diesen Link:

{{link}}

Er gilt {{valid_for}}. Waren Sie es nicht, brauchen Sie nichts zu tun.
`,
  known_address: `Subject: Sie haben schon ein Konto

Jemand, vermutlich Sie, wollte mit dieser E-Mail-Adresse ein Konto bei {{service}} anlegen. Es gibt schon eines, und nichts wurde geändert.
Wenn Sie das Passwort nicht mehr wissen, setzen Sie hier ein neues:

{{link}}

Der Link gilt {{valid_for}}. Waren Sie es nicht, brauchen Sie nichts zu tun.
`,
  reset_password: `Subject: Setzen Sie ein neues Passwort

Jemand, vermutlich Sie, hat bei {{service}} um ein neues Passwort gebeten. Um eines zu setzen, öffnen Sie diesen Link:

{{link}}

Er gilt einmal und {{valid_for}}. Waren Sie es nicht, brauchen Sie nichts zu tun: Ihr Passwort gilt weiter.
`,
  invitation: `Subject: Ihr Konto bei {{service}}

Für Sie wurde ein Konto bei {{service}} angelegt. Um Ihr Passwort zu setzen, öffnen Sie diesen Link:

{{link}}

Er gilt einmal und {{valid_for}}. Danach bitten Sie bei der Anmeldung um ein neues Passwort.
`,
  confirm_email_change: `Subject: Bestätigen Sie Ihre neue E-Mail-Adresse

Ihr Konto bei {{service}} soll diese E-Mail-Adresse bekommen, an Stelle von {{old_email}}. Um das zu bestätigen, öffnen Sie diesen Link:

{{link}}

Er gilt {{valid_for}}. Haben Sie nicht darum gebeten, öffnen Sie ihn nicht.
`,
  email_change_requested: `Subject: Ihre E-Mail-Adresse soll geändert werden

Jemand, vermutlich Sie, hat darum gebeten, dass Ihr Konto bei {{service}} die E-Mail-Adresse {{new_email}} bekommt, an Stelle dieser. Das geschieht, sobald es von dort bestätigt wird.

Waren Sie es nicht, melden Sie sich an, ändern Sie Ihr Passwort und melden Sie sich überall ab: Wer darum gebeten hat, kannte Ihr Passwort.
`,
  email_changed: `Subject: Ihre E-Mail-Adresse wurde geändert

Ihr Konto bei {{service}} hat jetzt die E-Mail-Adresse {{new_email}}, an Stelle dieser. Sie wurden überall abgemeldet.

Waren Sie es nicht, wenden Sie sich sofort an die Betreiber von {{service}}.
`,
  password_changed: `Subject: Ihr Passwort wurde geändert

Das Passwort Ihres Kontos bei {{service}} wurde geändert, und Sie wurden anderswo abgemeldet.

Waren Sie es nicht, setzen Sie sofort ein neues Passwort: Bitten Sie bei der Anmeldung darum, {{service_url}}
`,
  sign_in_locked: `Subject: Zu viele falsche Passwörter

Für Ihr Konto bei {{service}} gab es so viele falsche Passwörter, dass sich neue Browser nicht mehr anmelden können. Ein Browser, den Sie schon benutzen, kann es noch.

Wenn Sie sich mit einem neuen anmelden wollen, setzen Sie zuerst ein neues Passwort:

{{link}}

Der Link gilt einmal und {{valid_for}}. Danach bitten Sie bei der Anmeldung um ein neues Passwort.
`,
  session_reused: `Subject: Wir haben eine Ihrer Sitzungen beendet

Eine Ihrer Sitzungen bei {{service}} wurde von zwei Orten zugleich benutzt. Das geschieht, wenn jemand sie kopiert hat, und sie wurde beendet.

Melden Sie sich neu an. Geschieht das wieder, ändern Sie Ihr Passwort und suchen Sie auf Ihrem Gerät nach Programmen, die Sie nicht kennen.
`,
  account_deleted: `Subject: Ihr Konto wurde gelöscht

Ihr Konto bei {{service}} wurde gelöscht, mit allem darin.

Waren Sie es nicht, wenden Sie sich sofort an die Betreiber von {{service}}.
`,
}
