import { hash } from 'node:crypto'
import scalar from '@scalar/fastify-api-reference'
import type { FastifyInstance } from 'fastify'
import { openapiYaml } from '../../http/openapi.ts'

// The API reference: a page, and the document it is made from. Off in production unless asked for. The page's own script
// is served from here, and the policy lets in its inline starter by hash and nothing from elsewhere.
export async function referenceRoutes (app: FastifyInstance): Promise<void> {
  const config = { auth: 'none', limit: 'open' } as const
  const schema = { hide: true }

  app.get('/openapi.json', { config, schema }, async () => app.swagger())
  app.get('/openapi.yaml', { config, schema }, async (_request, reply) => await reply.type('application/yaml').send(openapiYaml(app)))

  app.addHook('onSend', async (_request, reply, payload) => {
    if (typeof payload !== 'string' || !String(reply.getHeader('content-type')).startsWith('text/html')) return payload
    const hashes = [...payload.matchAll(/<script(?![^>]* src=)[^>]*>([\s\S]*?)<\/script>/g)].map(([, code]) => `'sha256-${hash('sha256', code!, 'base64')}'`)
    reply.header('content-security-policy', `default-src 'none'; script-src 'self' ${hashes.join(' ')}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'`)
    return payload
  })
  await app.register(scalar, {
    routePrefix: '/docs',
    configuration: { url: '/openapi.json', withDefaultFonts: false, hideClientButton: true, showDeveloperTools: 'never', telemetry: false, agent: { disabled: true }, mcp: { disabled: true } } as object,
  })
}
