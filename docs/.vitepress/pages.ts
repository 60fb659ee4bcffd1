import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, posix, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/** Where a Markdown file of the repository stands on the site: docs/ is its root, and a README is what its folder shows. */
export const pageOf = (file: string): string => file.replace(/^docs\//, '').replace(/(^|\/)README\.md$/, '$1index.md')

/** Every page, as a path in the repository. The README is what a repository shows of itself; the site has a first page of its own. */
const isPage = (file: string): boolean => file.endsWith('.md') && file !== 'README.md'

/**
 * A link as it is written for readers of the repository → the same on the site: pages by their place there, everything
 * else (sources, tests, folders) as a copy in plain text, so that the site needs no other host.
 */
export function siteLink (href: string, from: string): { href: string, source?: string } {
  if (/^([a-z][a-z+.-]*:|#|\/)/i.test(href)) return { href }
  const [path, anchor] = href.split('#') as [string, string?]
  const target = posix.normalize(posix.join(posix.dirname(from), decodeURI(path))).replace(/\/$/, '')
  const hash = anchor === undefined ? '' : `#${anchor}`
  if (target === 'README.md') return { href: `/${hash}` }
  if (isPage(target)) return { href: `/${pageOf(target)}${hash}` }
  return { href: `/source/${target}.txt`, source: target }
}

/** @returns what `/source/<target>.txt` shows: the file, or the names in the folder */
export function sourceText (target: string): string {
  const path = resolve(ROOT, target)
  if (relative(ROOT, path).startsWith('..') || !existsSync(path)) throw new Error(`a page links to ${target}, which is not there`)
  return statSync(path).isDirectory() ? readdirSync(path).sort().map(name => `${target}/${name}\n`).join('') : readFileSync(path, 'utf8')
}

/** GitHub's anchors, so that a link to a heading is good in the repository and on the site. */
export const slug = (heading: string): string => heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '').replaceAll(' ', '-')

export const titleOf = (file: string): string => /^# (.+)$/m.exec(readFileSync(resolve(ROOT, file), 'utf8'))?.[1]?.replaceAll('`', '') ?? file
