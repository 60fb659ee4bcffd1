import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

// Builds the site in docs/ and judges what came out: every link and anchor leads somewhere, nothing is loaded from
// another host, and each page is in the sidebar.

type Page = { path: string, html: string, ids: Set<string> }
const attributes = (html: string, pattern: RegExp): string[] => [...html.matchAll(pattern)].map(([, value]) => value!.replaceAll('&amp;', '&').replaceAll('&#39;', "'"))

/** @returns what is wrong with a built site */
export function siteFaults (folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => statSync(join(folder, file)).isFile())
  const pages = files.filter(file => file.endsWith('.html')).map((path): Page => {
    const html = readFileSync(join(folder, path), 'utf8')
    return { path, html, ids: new Set(attributes(html, /\sid="([^"]*)"/g)) }
  })
  const byPath = new Map(pages.map(page => [page.path, page]))
  const faults: string[] = []
  for (const { path, html } of pages) {
    const loaded = [...attributes(html, /\ssrc="([^"]*)"/g), ...attributes(html, /<link\b[^>]*?\shref="([^"]*)"/g)]
    for (const url of loaded.filter(url => /^(https?:)?\/\//.test(url))) faults.push(`${path} loads ${url}`)
    for (const href of attributes(html, /<a\b[^>]*?\shref="([^"]*)"/g).filter(href => !/^[a-z]+:/i.test(href))) {
      const [target, hash] = href.split('#') as [string, string?]
      const plain = decodeURI(target === '' ? `/${path}` : target).replace(/^\//, '')
      const file = [plain, `${plain}.html`, join(plain, 'index.html')].find(file => existsSync(join(folder, file)) && statSync(join(folder, file)).isFile())
      if (!file) faults.push(`${path} links to ${href}`)
      else if (hash && byPath.has(file) && !byPath.get(file)!.ids.has(decodeURIComponent(hash))) faults.push(`${path} links to ${href}, which has no such heading`)
    }
  }
  for (const file of files.filter(file => file.endsWith('.css'))) {
    for (const url of attributes(readFileSync(join(folder, file), 'utf8'), /url\(["']?(https?:[^)"']+)/g)) faults.push(`${file} loads ${url}`)
  }
  const sidebar = new Set(attributes(/<aside class="VPSidebar[\s\S]*?<\/aside>/.exec(byPath.get('index.html')?.html ?? '')?.[0] ?? '', /\shref="([^"]*)"/g))
  const named = (path: string): boolean => sidebar.has(`/${path.replace(/(index)?\.html$/, '')}`)
  for (const { path } of pages.filter(({ path }) => path !== '404.html' && path !== 'index.html' && !named(path))) faults.push(`${path} is not in the sidebar`)
  return faults
}

function build (): string {
  const site = resolve('docs')
  const installed = join(site, 'node_modules/.package-lock.json')
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(site, 'package-lock.json')).mtimeMs) {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: site, stdio: 'inherit' })
  }
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: site, stdio: 'inherit' })
  return join(site, '.vitepress/dist')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = build()
  const faults = siteFaults(folder)
  for (const fault of faults) console.error(fault)
  console.log(`docs site: ${readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.html')).length} pages, ${faults.length} faults`)
  process.exitCode = faults.length > 0 ? 1 : 0
}
