import type { MailKind } from './mail.ts'

/** A mail's text: `Subject: …`, an empty line, the body; `{{name}}` stands for a value. */
export type Texts = Readonly<Record<MailKind, string>>

/**
 * What a text may speak of. Nothing that a user wrote is among them: whoever signs up with the address of another would have
 * us carry a message of theirs. Addresses are in canonical form.
 */
const common = ['service', 'service_url', 'email'] as const
const linked = [...common, 'link', 'valid_for'] as const
export const placeholders: Readonly<Record<MailKind, readonly string[]>> = {
  verify_email: linked,
  known_address: linked,
  reset_password: linked,
  invitation: linked,
  confirm_email_change: [...linked, 'old_email', 'new_email'],
  email_change_requested: [...common, 'old_email', 'new_email'],
  email_changed: [...common, 'old_email', 'new_email'],
  password_changed: common,
  sign_in_locked: linked,
  session_reused: common,
  account_deleted: common,
}

export type Values = Readonly<Record<string, string>>
export type Template = { subject: string, text: string, html: string }

const PLACEHOLDER = /\{\{\s*([a-z_]*)\s*\}\}/g

/** @returns the template, or what is wrong with it */
export function parseTemplate (kind: MailKind, source: string, html?: string): Template | string {
  const [, subject, text] = /^Subject: (.+)\r?\n\r?\n([^]+)$/.exec(source) ?? []
  if (subject === undefined || text === undefined) return 'it must begin with "Subject: …" and an empty line'
  const template = { subject: subject.trim(), text, html: html ?? htmlOf(text) }
  const bodies = [template.text, template.html]
  for (const part of [template.subject, ...bodies]) {
    const unknown = [...part.matchAll(PLACEHOLDER)].map(([, name]) => name!).find(name => !placeholders[kind].includes(name))
    if (unknown !== undefined) return `it speaks of {{${unknown}}}; there are ${placeholders[kind].join(', ')}`
    if (part.replace(PLACEHOLDER, '').includes('{{')) return 'a {{ is not closed, or holds no name'
  }
  if (/\{\{\s*link\s*\}\}/.test(template.subject)) return 'the link must not be in the subject'
  if (placeholders[kind].includes('link') && !bodies.every(body => /\{\{\s*link\s*\}\}/.test(body))) return 'it does not hold {{link}}'
  return template
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\'': '&#39;' }
const escaped = (text: string): string => text.replace(/[&<>"']/g, character => escapes[character]!)

const filled = (template: string, values: Values, write = (value: string) => value): string =>
  template.replace(PLACEHOLDER, (_, name: string) => write(values[name] ?? ''))

export const render = ({ subject, text, html }: Template, values: Values): Template =>
  ({ subject: filled(subject, values), text: filled(text, values), html: filled(html, values, escaped) })

/** Paragraphs as they stand in the text, and where one is a placeholder of a link alone, the link. */
function htmlOf (text: string): string {
  const paragraphs = text.trim().split(/\r?\n\s*\r?\n/).map(paragraph => paragraph.trim() === '{{link}}'
    ? '<p><a href="{{link}}">{{link}}</a></p>'
    : `<p>${escaped(paragraph).replace(/\r?\n/g, '<br>\n')}</p>`)
  return `<!doctype html>\n<html><head><meta charset="utf-8"></head>\n<body style="font-family: sans-serif; line-height: 1.5; max-width: 40em; overflow-wrap: anywhere">\n${paragraphs.join('\n')}\n</body></html>\n`
}
