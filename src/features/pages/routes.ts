import type { FastifyInstance } from 'fastify'
import type { Context } from '../../context.ts'
import { languageOf, PAGE_POLICY, pageNames, renderPage } from './page.ts'

// Where the links in mail lead as long as there is no APP_URL. Reading a page uses nothing up, however often a scanner of mail does it: the
// token is in the fragment, and only the button sends it. Nothing of a third party, nothing from the request in the page.
export async function pageRoutes (app: FastifyInstance, { ctx: { config } }: { ctx: Context }): Promise<void> {
  for (const name of pageNames) {
    const pages = { en: renderPage(name, 'en', config), de: renderPage(name, 'de', config) }
    app.get(`/${name}`, { config: { auth: 'none', limit: 'open' }, schema: { hide: true } }, async (request, reply) =>
      await reply.header('content-security-policy', PAGE_POLICY).type('text/html; charset=utf-8').send(pages[languageOf(request.headers['accept-language'])]))
  }
}
