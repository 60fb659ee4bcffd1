import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { renderConfigurationPage, renderOpenapi } from '../../scripts/generate.ts'
import { errorCodes } from '../../src/errors.ts'
import { oauthErrors } from '../../src/http/oauth-errors.ts'
import { contract, contractFault } from '../helpers/contract.ts'
import { world } from '../helpers/world.ts'

type Schema = { type?: string | string[], enum?: unknown[], const?: unknown, examples?: unknown[], $ref?: string, properties?: Record<string, Schema>, items?: Schema, anyOf?: Schema[], oneOf?: Schema[] }
type Content = Record<string, { schema: Schema }>
type Operation = {
  operationId?: string, summary?: string, tags?: string[], security?: Record<string, unknown>[]
  parameters?: { name: string, in: string, required?: boolean }[], requestBody?: { content: Content }
  responses: Record<string, { description: string, content?: Content }>
}
type Document = { openapi: string, paths: Record<string, Record<string, Operation>>, tags: { name: string }[], components: { schemas: Record<string, Schema>, securitySchemes: object } }

const document = contract as unknown as Document
const operationsOf = ({ paths }: Document) => Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation, where: `${method} ${path}` })))

/** Values a caller sends must be shown: fields of a body without an example. */
function withoutExample (given: Schema, where: string, document: Document): string[] {
  const schema = given.$ref ? document.components.schemas[given.$ref.split('/').at(-1)!]! : given
  const inner = [...Object.entries(schema.properties ?? {}), ...[...schema.anyOf ?? [], ...schema.oneOf ?? []].map(each => ['', each] as const), ...(schema.items ? [['[]', schema.items] as const] : [])]
  if (inner.length > 0) return inner.flatMap(([name, each]) => withoutExample(each, `${where}/${name}`, document))
  const selfExplaining = schema.enum || schema.const !== undefined || schema.type === 'boolean' || schema.type === 'null' || schema.type === 'object'
  return selfExplaining || schema.examples?.length ? [] : [`${where} has no example`]
}

function faults (document: Document): string[] {
  const operations = operationsOf(document)
  const ids = operations.map(({ operation }) => operation.operationId)
  const codes = (description: string) => [...description.matchAll(/`([a-z_]+)`/g)].map(([, code]) => code!)
  return operations.flatMap(({ path, operation, where }) => [
    !/^[a-z][A-Za-z]+$/.test(operation.operationId ?? '') && `${where} has no operationId`,
    ids.filter(id => id === operation.operationId).length > 1 && `${where}: operationId ${operation.operationId} is not unique`,
    !operation.summary && `${where} has no summary`,
    (!operation.tags?.length || operation.tags.some(tag => !document.tags.some(({ name }) => name === tag))) && `${where} has no known tag`,
    operation.security === undefined && `${where} does not say who may call it`,
    operation.security?.some(scheme => Object.keys(scheme).some(name => !Object.hasOwn(document.components.securitySchemes, name))) && `${where} names an unknown security scheme`,
    JSON.stringify([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)) !== JSON.stringify((operation.parameters ?? []).filter(parameter => parameter.in === 'path' && parameter.required).map(({ name }) => name)) &&
      `${where} does not declare its path parameters`,
    !Object.keys(operation.responses).some(status => /^[23]/.test(status)) && `${where} never succeeds`,
    ...Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema }) => withoutExample(schema, `${where} body`, document)),
    ...Object.entries(operation.responses).filter(([, { content }]) => content?.['application/problem+json']).flatMap(([status, { description }]) => [
      codes(description).length === 0 && `${where} ${status} names no error code`,
      ...codes(description).filter(code => !Object.hasOwn(errorCodes, code) || String(errorCodes[code as keyof typeof errorCodes].status) !== status).map(code => `${where} ${status} names ${code}`),
    ]),
    ...Object.entries(operation.responses).filter(([status]) => path.startsWith('/oauth2/') && /^[45]/.test(status)).flatMap(([status, { description, content }]) => [
      content?.['application/json']?.schema.$ref !== '#/components/schemas/OAuthError' && `${where} ${status} is no error of OAuth`,
      codes(description).length === 0 && `${where} ${status} names no error`,
      ...codes(description).filter(code => !(oauthErrors as readonly string[]).includes(code)).map(code => `${where} ${status} names ${code}`),
    ]),
  ]).filter(fault => typeof fault === 'string')
}

t.test('openapi.yaml and docs/configuration.md are what the code says today', async t => {
  t.equal(readFileSync('openapi.yaml', 'utf8'), await renderOpenapi(), 'run npm run generate')
  t.equal(readFileSync('docs/configuration.md', 'utf8'), renderConfigurationPage(), 'run npm run generate')
})

t.test('every operation says its name, what it does, who may call it, and which errors it answers', async t => {
  t.equal(document.openapi, '3.1.1')
  t.strictSame(faults(document), [])
})

t.test('every schema is valid JSON Schema 2020-12, and every reference leads somewhere', async t => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false })
  ;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
  for (const name of ['openapi', 'info', 'servers', 'tags', 'components', 'paths']) ajv.addKeyword(name)
  ajv.addSchema({ ...document, $id: 'openapi' })
  const schemas = [...operationsOf(document).flatMap(({ operation }) => [...Object.values(operation.requestBody?.content ?? {}), ...Object.values(operation.responses).flatMap(({ content }) => Object.values(content ?? {}))].map(({ schema }) => schema)),
    ...Object.values(document.components.schemas)]
  t.ok(schemas.length > 50)
  for (const schema of schemas) ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')))
  t.throws(() => ajv.compile({ $ref: 'openapi#/components/schemas/Nowhere' }), 'a dead reference is found')
  t.throws(() => ajv.compile({ type: 'strin' }), 'and a misspelled type')
})

t.test('every path that the service answers is documented, with exactly the methods it takes', async t => {
  // Pages for people are no part of it.
  const { app, call } = await world(t, { DOCS: 'false', APP_URL: 'https://app.example.com' })
  const registered = pathsOf(app.printRoutes({ commonPrefix: false }))
  t.strictSame(registered.sort(), Object.keys(document.paths).sort())
  for (const path of registered) {
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const) {
      // A cursor that is none: an open stream would never answer.
      const { statusCode } = await call(method, path.replaceAll(/\{\w+\}/g, 'x'), { headers: { 'last-event-id': 'x' } })
      t.equal(statusCode !== 405, Object.hasOwn(document.paths[path]!, method.toLowerCase()), `${method} ${path}`)
    }
  }
})

/** The router prints a tree; a line's depth is its indent. */
function pathsOf (tree: string): string[] {
  const parents: string[] = []
  return tree.split('\n').flatMap(line => {
    const match = /^((?:[│ ] {3})*)[├└]── (\S+)(?: \(([^)]*)\))?/.exec(line)
    if (!match) return []
    const depth = match[1]!.length / 4
    const path = (parents[depth - 1] ?? '') + match[2]!
    parents.length = depth
    parents[depth] = path
    return match[3] === undefined || path === '*' ? [] : [path.replaceAll(/:(\w+)/g, '{$1}')]
  })
}

t.test('a planted fault of each kind is found in the contract', async t => {
  const plant = (change: (operation: Operation, document: Document) => void, path = '/v1/auth/register'): string[] => {
    const copy = structuredClone(document)
    change(copy.paths[path]!['post']!, copy)
    return faults(copy)
  }
  const where = 'post /v1/auth/register'
  t.strictSame(plant(operation => { delete operation.operationId }), [`${where} has no operationId`])
  t.strictSame(plant(operation => { operation.operationId = 'getMe' }), [`${where}: operationId getMe is not unique`, 'get /v1/me: operationId getMe is not unique'])
  t.strictSame(plant(operation => { delete operation.summary }), [`${where} has no summary`])
  t.strictSame(plant(operation => { operation.tags = ['Other'] }), [`${where} has no known tag`])
  t.strictSame(plant(operation => { delete operation.security }), [`${where} does not say who may call it`])
  t.strictSame(plant(operation => { operation.security = [{ other: [] }] }), [`${where} names an unknown security scheme`])
  t.strictSame(plant((operation, { paths }) => { paths['/v1/things/{id}'] = { post: { ...operation, operationId: 'other' } } }), ['post /v1/things/{id} does not declare its path parameters'])
  t.strictSame(plant(operation => { operation.responses = {} }), [`${where} never succeeds`])
  t.strictSame(plant((_, { components }) => { delete components.schemas['RegisterRequest']!.properties!['email']!.examples }), [`${where} body/email has no example`])
  t.strictSame(plant(operation => { operation.responses['409']!.description = '`email_gone`' }), [`${where} 409 names email_gone`])
  t.strictSame(plant(operation => { operation.responses['409']!.description = '`internal`' }), [`${where} 409 names internal`])
  t.strictSame(plant(operation => { operation.responses['409']!.description = 'taken' }), [`${where} 409 names no error code`])
  const token = (change: (operation: Operation) => void) => plant(change, '/oauth2/token')
  t.strictSame(token(operation => { operation.responses['401'] = document.paths['/v1/me']!['get']!.responses['401']! }), ['post /oauth2/token 401 is no error of OAuth'])
  t.strictSame(token(operation => { operation.responses['401']!.description = '`invalid_credentials`' }), ['post /oauth2/token 401 names invalid_credentials'])
  t.strictSame(token(operation => { operation.responses['401']!.description = 'no' }), ['post /oauth2/token 401 names no error'])
})

t.test('an answer that openapi.yaml does not describe is called a fault', async t => {
  const headers = { 'content-type': 'application/json; charset=utf-8' }
  const check = (statusCode: number, body: string, more: object = headers) => contractFault('GET', '/livez', { statusCode, headers: { ...more }, body })
  t.equal(check(200, '{"status":"live"}'), null)
  t.match(check(200, '{"status":"dead"}'), /must be equal to one of the allowed values/)
  t.match(check(200, '{}'), /must have required property 'status'/)
  t.match(check(200, '{"status":"live","secret":1}'), /must NOT have additional properties/)
  t.match(check(418, '{}'), /418 is not in openapi.yaml/)
  t.match(check(200, 'live', { 'content-type': 'text/plain' }), /content type text\/plain/)
  t.match(contractFault('POST', '/v1/auth/logout?x=1', { statusCode: 204, headers: {}, body: 'bye' }), /has a body/)
  t.equal(contractFault('GET', '/unknown', { statusCode: 404, headers, body: '' }), null)
})
