import swagger from '@fastify/swagger'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { AuthMode } from './route-rules.ts'
import { isOauthPath } from './oauth-problem.ts'
import { nameSchemas, type Document } from './openapi-names.ts'
import { oauthResponses, problemResponses, sharedSchemas } from './schemas.ts'

const introduction = `The token is the session: sign in, send the access token as a bearer token, refresh it before it expires.
Errors are RFC 9457 problems with a stable \`code\`; under \`/oauth2\` they have the form of RFC 6749. Times in tokens are seconds since the epoch, elsewhere RFC 3339.
Only \`401 session_ended\` ends a session; after a 503 or a network error, wait for \`Retry-After\` and try again, on any node.`

/** What a caller proves itself with, by auth mode. `{}`: what proves it is in the body. */
const security: Record<AuthMode, Record<string, never[]>[]> = {
  none: [],
  bearer: [{ accessToken: [] }],
  refresh_token: [{ refreshCookie: [] }, {}],
  client: [{ clientSecret: [] }, {}],
  client_or_bearer: [{ clientSecret: [] }, { accessToken: [] }, {}],
  token_holder: [{ clientSecret: [] }, {}],
}

/** The contract, made from the schemas that validate: what is not in a schema does not exist. */
export const openapi = fp<{ publicUrl: string }>(async (app, { publicUrl }) => {
  for (const schema of sharedSchemas) app.addSchema(schema)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: { title: 'stateless-auth', version: '1', description: introduction, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: publicUrl }],
      tags: [
        { name: 'Sign-in', description: 'For the app' },
        { name: 'Account', description: 'The signed-in user' },
        { name: 'Verification', description: 'For other services and gateways' },
        { name: 'Services', description: 'Services that call with a name of their own (OAuth)' },
        { name: 'Administration', description: 'For administrators: an access token with the scope `admin`' },
        { name: 'Operation', description: 'For the platform' },
      ],
      components: {
        securitySchemes: {
          accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          clientSecret: { type: 'http', scheme: 'basic', description: 'client_id and client_secret (RFC 6749 §2.3.1). Both may go into the form instead, or there a `client_assertion` (RFC 7523).' },
          refreshCookie: { type: 'apiKey', in: 'cookie', name: '__Host-rt' },
        },
      },
    },
    refResolver: { buildLocalReference: (schema, _base, _fragment, index) => typeof schema.$id === 'string' ? schema.$id : `schema${index}` },
    transformObject: given => {
      const document = (given as unknown as { openapiObject: Document }).openapiObject
      makeBodiesOptional(document)
      nameSchemas(document)
      return document as object
    },
    transform: ({ schema, url, route }) => {
      const auth = route.config?.auth
      return { schema: { ...schema, response: withBodyRefusals(url, route.method, schema?.response), security: structuredClone(security[auth ?? 'none']) }, url }
    },
  })
}, { name: 'openapi' })

/** Whoever may send a body can send one that is refused, also where none is expected. */
function withBodyRefusals (url: string, method: string | string[], response: unknown): unknown {
  if ([method].flat().every(each => ['GET', 'HEAD'].includes(each))) return response
  return { ...(isOauthPath(url) ? oauthResponses : problemResponses)('body_too_large', 'unsupported_media_type'), ...response as object }
}

/** "An object or null" is how the validator says that a body may be left out; for readers of the contract it is simply not required. */
function makeBodiesOptional (document: Document): void {
  for (const { requestBody } of Object.values(document.paths).flatMap(operations => Object.values(operations))) {
    for (const { schema } of Object.values(requestBody?.content ?? {})) {
      if (!Array.isArray(schema.type) || !schema.type.includes('null')) continue
      schema.type = 'object'
      requestBody!.required = false
    }
  }
}

export const openapiYaml = (app: FastifyInstance): string => app.swagger({ yaml: true })
