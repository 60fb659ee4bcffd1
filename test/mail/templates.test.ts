import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseTemplate, placeholders, render, type Template } from '../../src/core/mail/template.ts'
import { loadTemplates } from '../../src/core/mail/templates.ts'
import type { MailKind } from '../../src/core/mail/mail.ts'

const kinds = Object.keys(placeholders) as MailKind[]
let folders = 0
async function folderWith (t: Test, files: Record<string, string>): Promise<string> {
  const folder = join(t.testdir({}), String(folders++))
  await mkdir(folder)
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

t.test('every mail has a text in English and in German, and they are not the same', async t => {
  const { find } = await loadTemplates(undefined)
  for (const kind of kinds) {
    const [en, de] = [find(kind, 'en-GB'), find(kind, 'de')]
    t.strictSame([en.language, de.language], ['en', 'de'])
    t.notSame(en.template, de.template, kind)
  }
})

t.test('a file of the operator takes the place of one text and of no other, in a language of ours or a new one', async t => {
  const { find } = await loadTemplates(await folderWith(t, {
    'en/password_changed.txt': 'Subject: Ours\n\nOur text for {{email}}\n',
    'fr-ca/password_changed.txt': 'Subject: Le nôtre\r\n\r\nNotre texte\r\n',
    'de/reset_password.html': '<b>{{ link }}</b>',
    '.git/anything': '',
  }))
  t.match(find('password_changed', null), { language: 'en', template: { subject: 'Ours', text: 'Our text for {{email}}\n', html: /<p>Our text for/ } })
  t.match(find('password_changed', 'fr-CA'), { language: 'fr-ca', template: { subject: 'Le nôtre' } })
  t.equal(find('password_changed', 'fr').language, 'en')
  t.equal(find('account_deleted', 'fr-CA').language, 'en', 'what is not there is in English')
  t.match(find('reset_password', 'de').template, { subject: 'Setzen Sie ein neues Passwort', html: '<b>{{ link }}</b>' })
  t.match(find('reset_password', 'en').template.html, '<a href="{{link}}">')
})

t.test('a template that would not do stops the start, and the message says which and why', async t => {
  for (const [files, message] of [
    [{ 'en/verify_email.txt': 'Hello' }, /en\/verify_email[.]txt does not do: it must begin with "Subject/],
    [{ 'en/verify_email.txt': 'Subject: Hello\n\nNo way on\n' }, /it does not hold \{\{link\}\}/],
    [{ 'en/verify_email.html': '<p>No way on</p>' }, /it does not hold \{\{link\}\}/],
    [{ 'en/verify_email.txt': 'Subject: {{link}}\n\n{{link}}\n' }, /must not be in the subject/],
    [{ 'en/password_changed.txt': 'Subject: Hello {{name}}\n\nBye\n' }, /speaks of \{\{name\}\}; there are service, service_url, email/],
    [{ 'en/password_changed.txt': 'Subject: Hello {{email\n\nBye\n' }, /not closed/],
    [{ 'en/welcome.txt': 'Subject: Hello\n\nBye\n' }, /the name is none of verify_email/],
    [{ 'English/password_changed.txt': 'Subject: Hello\n\nBye\n' }, /folders named after languages/],
    [{ 'fr/password_changed.html': '<p>Bonjour</p>' }, /no [.]txt beside it/],
    [{ 'readme.txt': 'x' }, /folders named after languages/],
  ] as const) await t.rejects(loadTemplates(await folderWith(t, files)), { name: 'StartError', message })
  await t.rejects(loadTemplates('/does/not/exist'), { message: 'MAIL_TEMPLATES: /does/not/exist cannot be read (ENOENT).' })
})

t.test('a value is text, whatever is in it: no markup in HTML, no placeholder, no pattern of a replacement', t => {
  const template = parseTemplate('password_changed', 'Subject: {{service}}\n\n{{email}} & {{service}}\n') as Template
  const { text, html } = render(template, { email: '<b>"\'&', service: '{{email}}$&' })
  t.equal(text, '<b>"\'& & {{email}}$&\n')
  t.match(html, '<p>&lt;b&gt;&quot;&#39;&amp; &amp; {{email}}$&amp;</p>')
  t.end()
})
