import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../../errors.ts'
import type { MailKind } from './mail.ts'
import { parseTemplate, placeholders, type Template, type Texts } from './template.ts'
import { de } from './texts/de.ts'
import { en } from './texts/en.ts'

const FALLBACK = 'en'
const builtIn: Readonly<Record<string, Texts>> = { en, de }

export type Templates = {
  /** @param locale BCP 47, as the user has it. @returns also the language it is in */
  find: (kind: MailKind, locale: string | null) => { language: string, template: Template }
}

/**
 * The built-in texts, and in their place what is in `folder`: `<language>/<mail>.txt`, and `.html` beside it where the HTML is
 * not to be made from the text.
 * @throws StartError for a file that is none of those, or does not do: a mail that is wrong must not be found out by its readers
 */
export async function loadTemplates (folder: string | undefined): Promise<Templates> {
  const sources = new Map<string, { path: string, text?: string, html?: string }>()
  for (const [language, texts] of Object.entries(builtIn)) {
    for (const [kind, text] of Object.entries(texts)) sources.set(`${language}/${kind}`, { path: `${language}/${kind}.txt`, text })
  }
  if (folder !== undefined) await addFolder(sources, folder)
  const templates = new Map<string, Template>()
  for (const [name, { path, text, html }] of sources) {
    const kind = name.split('/')[1] as MailKind
    const template = text === undefined ? 'there is no .txt beside it' : parseTemplate(kind, text, html)
    if (typeof template === 'string') throw new StartError(`The mail template ${path} does not do: ${template}.`)
    templates.set(name, template)
  }
  return {
    find: (kind, locale) => {
      const language = languagesOf(locale).find(language => templates.has(`${language}/${kind}`)) ?? FALLBACK
      return { language, template: templates.get(`${language}/${kind}`)! }
    },
  }
}

/** `de-AT` asks for that, then for `de`. */
function languagesOf (locale: string | null): string[] {
  const parts = (locale ?? '').toLowerCase().split('-')
  return parts.map((_, cut) => parts.slice(0, parts.length - cut).join('-'))
}

async function addFolder (sources: Map<string, { path: string, text?: string, html?: string }>, folder: string): Promise<void> {
  const fault = (path: string, what: string) => new StartError(`The mail template ${path} does not do: ${what}.`)
  for (const language of await entries(folder)) {
    if (!/^[a-z]{2,3}(-[a-z0-9]{2,8})*$/.test(language)) throw fault(join(folder, language), 'MAIL_TEMPLATES holds folders named after languages, in lower case')
    for (const file of await entries(join(folder, language))) {
      const path = join(folder, language, file)
      const [, kind = '', form] = /^([a-z_]+)[.](txt|html)$/.exec(file) ?? []
      if (!Object.hasOwn(placeholders, kind)) throw fault(path, `the name is none of ${Object.keys(placeholders).join(', ')}, with .txt or .html`)
      const name = `${language}/${kind}`
      sources.set(name, { ...sources.get(name), path, [form === 'txt' ? 'text' : 'html']: await readFile(path, 'utf8') })
    }
  }
}

async function entries (folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter(name => !name.startsWith('.'))
  } catch (cause) {
    throw new StartError(`MAIL_TEMPLATES: ${folder} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}).`, { cause })
  }
}
