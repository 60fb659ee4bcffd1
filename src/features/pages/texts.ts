export type PageName = 'verify-email' | 'reset-password' | 'confirm-email-change'
export type Language = 'en' | 'de'

type PageText = { title: string, what: string, button: string, done: string }
/** What may be said after a try; `weak_` and a code of the password policy each. */
type Shared = {
  missing: string, invalid: string, used: string, later: string, unreachable: string, script: string
  password: string, show: string, hint: string
  weak_too_short: string, weak_too_long: string, weak_common: string, weak_repetitive: string, weak_contextual: string, weak: string
}

export const texts: Record<Language, { shared: Shared, pages: Record<PageName, PageText> }> = {
  en: {
    shared: {
      missing: 'This address is incomplete. Please open the link in the message once more.',
      invalid: 'This link is not valid, or not any more. Please ask for a new one.',
      used: 'This link has been used, and it worked. You can sign in.',
      later: 'That cannot be done just now. Please try again in a moment.',
      unreachable: 'The service cannot be reached. Please check your connection and try again.',
      script: 'This page needs JavaScript.',
      password: 'New password',
      show: 'Show the password',
      hint: 'At least # characters. A sentence that only you know is a good one.',
      weak_too_short: 'It is too short.',
      weak_too_long: 'It is too long.',
      weak_common: 'It is among the passwords that are tried first.',
      weak_repetitive: 'It repeats itself or runs along the keyboard or the alphabet.',
      weak_contextual: 'It is made from your name, your address or the name of this service.',
      weak: 'It is too easy to guess.',
    },
    pages: {
      'verify-email': { title: 'Confirm your e-mail address', what: 'One click, and we know that this address is yours.', button: 'Confirm the address', done: 'Thank you. Your address is confirmed.' },
      'reset-password': { title: 'Set a new password', what: 'You will be signed out everywhere, and can sign in with the new password.', button: 'Set the password', done: 'Your new password is set. You can sign in with it.' },
      'confirm-email-change': { title: 'Confirm your new e-mail address', what: 'From then on you sign in with the new address. You will be signed out everywhere.', button: 'Use the new address', done: 'Thank you. You can sign in with the new address.' },
    },
  },
  de: {
    shared: {
      missing: 'Diese Adresse ist unvollständig. Bitte öffnen Sie den Link in der Nachricht noch einmal.',
      invalid: 'Dieser Link ist nicht oder nicht mehr gültig. Bitte fordern Sie einen neuen an.',
      used: 'Dieser Link wurde schon verwendet, mit Erfolg. Sie können sich anmelden.',
      later: 'Das geht gerade nicht. Bitte versuchen Sie es gleich noch einmal.',
      unreachable: 'Der Dienst ist nicht zu erreichen. Bitte prüfen Sie Ihre Verbindung und versuchen Sie es noch einmal.',
      script: 'Diese Seite braucht JavaScript.',
      password: 'Neues Passwort',
      show: 'Passwort anzeigen',
      hint: 'Mindestens # Zeichen. Gut ist ein Satz, den nur Sie kennen.',
      weak_too_short: 'Es ist zu kurz.',
      weak_too_long: 'Es ist zu lang.',
      weak_common: 'Es gehört zu den Passwörtern, die zuerst probiert werden.',
      weak_repetitive: 'Es wiederholt sich oder folgt der Tastatur oder dem Alphabet.',
      weak_contextual: 'Es besteht aus Ihrem Namen, Ihrer Adresse oder dem Namen dieses Dienstes.',
      weak: 'Es ist zu leicht zu erraten.',
    },
    pages: {
      'verify-email': { title: 'E-Mail-Adresse bestätigen', what: 'Ein Klick, und wir wissen, dass diese Adresse Ihnen gehört.', button: 'Adresse bestätigen', done: 'Danke. Ihre Adresse ist bestätigt.' },
      'reset-password': { title: 'Neues Passwort festlegen', what: 'Sie werden überall abgemeldet und können sich mit dem neuen Passwort anmelden.', button: 'Passwort festlegen', done: 'Ihr neues Passwort gilt. Sie können sich damit anmelden.' },
      'confirm-email-change': { title: 'Neue E-Mail-Adresse bestätigen', what: 'Danach melden Sie sich mit der neuen Adresse an. Sie werden überall abgemeldet.', button: 'Neue Adresse verwenden', done: 'Danke. Sie können sich mit der neuen Adresse anmelden.' },
    },
  },
}
