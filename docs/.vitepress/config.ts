import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { defineConfig } from 'vitepress'
import { pageOf, ROOT, siteLink, slug, sourceText } from './pages.ts'
import { sidebar } from './sidebar.ts'

const sources = new Set<string>()

export default defineConfig({
  title: 'stateless-auth',
  description: 'A self-hosted authentication service in which the token is the session.',
  // Documents beside what they document (gateways, examples) are pages too.
  srcDir: '..',
  srcExclude: ['README.md', 'src/**', 'test/**', 'bench/**', 'proof/**', 'dist*/**', 'docs/node_modules/**', '**/node_modules/**'],
  rewrites: pageOf,
  cleanUrls: true,
  lastUpdated: false,
  markdown: {
    anchor: { slugify: slug },
    config: md => {
      md.core.ruler.push('repository-links', state => {
        const from = relative(ROOT, state.env.realPath ?? state.env.path)
        for (const token of state.tokens.flatMap(token => token.children ?? [])) {
          const href = token.type === 'link_open' && token.attrGet('href')
          if (!href) continue
          const target = siteLink(href, from)
          token.attrSet('href', target.href)
          if (target.source !== undefined) sources.add(target.source)
        }
      })
    },
  },
  // Pages outside docs/ find Vue where the site's own packages are.
  vite: { esbuild: { tsconfigRaw: '{}' }, resolve: { alias: [{ find: /^vue(\/server-renderer)?$/, replacement: `${import.meta.dirname}/../node_modules/vue$1` }] } },
  themeConfig: {
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [{ text: 'Quick start', link: '/quick-start' }, { text: 'Configuration', link: '/configuration' }, { text: 'Errors', link: '/errors' }],
  },
  buildEnd: ({ outDir }) => {
    for (const source of sources) {
      const file = join(outDir, 'source', `${source}.txt`)
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, sourceText(source))
    }
  },
})
