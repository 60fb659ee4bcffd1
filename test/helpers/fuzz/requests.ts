import fc from 'fast-check'
import { contract } from '../contract.ts'
import { authorizations, brokenBodies, brokenBytes, contentTypes, nastyText, nastyValue, strangeHeaders, strangeNames } from './values.ts'

type Schema = { type?: string | string[], enum?: unknown[], examples?: unknown[], default?: unknown, properties?: Record<string, Schema>, required?: string[], items?: Schema, anyOf?: Schema[], $ref?: string, minimum?: number, format?: string }
type Parameter = { name: string, in: string, required?: boolean, schema: Schema & { example?: unknown }, example?: unknown }
type Described = { operationId: string, parameters?: Parameter[], requestBody?: { content: Record<string, { schema: Schema }> } }
type Operation = Described & { method: string, path: string }

export type Caller = 'nobody' | 'user' | 'admin' | 'service' | 'somebody odd'
export type FuzzRequest = { operation: string, caller: Caller, method: string, url: string, headers: Record<string, string>, payload: string | null, bytes: boolean }

const FORM = 'application/x-www-form-urlencoded'
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** With good credentials it ends those of everybody each time: then nothing else would be reached. */
const ENDS_EVERYTHING = ['revokeAll']

/** Whatever the contract describes: what a colleague adds tomorrow is in here tomorrow. */
const operations: Operation[] = Object.entries(contract.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ ...operation as unknown as Described, method: method.toUpperCase(), path })))

/** A value of the documented form. */
function good (schema: Schema, name = ''): fc.Arbitrary<unknown> {
  const { type, examples, properties, items } = schema
  if (schema.$ref) return good(contract.components.schemas[schema.$ref.split('/').at(-1)!] as Schema)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(each => good(each, name)))
  if (name === 'email' || name === 'new_email') return fc.constantFrom<unknown>('{{email}}', 'ada@example.com')
  if (/token$/.test(name)) return fc.constantFrom<unknown>('{{refresh}}', '{{action}}', '{{access}}', ...examples ?? [])
  if (/^(id|sid|user_id|client_id)$/.test(name)) return fc.constantFrom<unknown>('{{user_id}}', '{{client_id}}', ...examples ?? [])
  if (properties) {
    const required = schema.required ?? []
    return fc.record(Object.fromEntries(Object.entries(properties).map(([key, each]) => [key, good(each, key)])), { requiredKeys: required })
  }
  if (examples?.length) return fc.constantFrom(...examples)
  const kind = Array.isArray(type) ? type[0] : type
  if (kind === 'array') return fc.array(good(items ?? {}), { maxLength: 3 })
  if (kind === 'object') return fc.constantFrom<unknown>({}, { a: 1 }, { a: { b: ['c'] } })
  if (kind === 'boolean') return fc.boolean()
  if (kind === 'integer' || kind === 'number') return fc.constantFrom<unknown>(schema.minimum ?? 1, 50)
  return fc.constantFrom<unknown>('text', schema.default ?? 'text')
}

type Entries = [string, unknown][]

/** A documented body of which one thing is wrong, or two. */
const halfGood = (schema: Schema): fc.Arbitrary<Entries> => good(schema).chain(body => {
  const entries = Object.entries(typeof body === 'object' && body !== null ? body : { body })
  const at = fc.nat(Math.max(0, entries.length - 1))
  const replaced = fc.tuple(at, nastyValue).map(([i, value]) => entries.map((entry, j): [string, unknown] => i === j ? [entry[0], value] : entry))
  return fc.oneof(
    { weight: 6, arbitrary: replaced },
    { weight: 2, arbitrary: fc.constant(entries) },
    { weight: 1, arbitrary: at.map(i => entries.filter((_, j) => j !== i)) },
    { weight: 2, arbitrary: fc.tuple(fc.constantFrom(...strangeNames), nastyValue).map(([name, value]): Entries => [...entries, [name, value]]) },
    { weight: 1, arbitrary: fc.tuple(at, nastyValue).map(([i, value]): Entries => entries[i] ? [...entries, [entries[i][0], value]] : entries) } // given twice
  )
})

const toJson = (entries: Entries): string => `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value) ?? 'null'}`).join()}}`
const toForm = (entries: Entries): string => entries.map(([name, value]) =>
  `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent((typeof value === 'string' ? value : JSON.stringify(value) ?? '').toWellFormed()).replaceAll('%7B%7B', '{{').replaceAll('%7D%7D', '}}')}`).join('&')

type Body = { payload: string | null, type: string | null, bytes: boolean }

function bodyOf ({ requestBody, method }: Operation): fc.Arbitrary<Body> {
  const [type = 'application/json', content] = Object.entries(requestBody?.content ?? {})[0] ?? []
  const described = content ? halfGood(content.schema).map(type === FORM ? toForm : toJson) : fc.constant<string | null>(null)
  const written = (payload: string | null): Body => ({ payload, type: payload === null ? null : type, bytes: false })
  const broken = fc.constantFrom(...brokenBodies).map(written)
  return fc.oneof(
    { weight: 10, arbitrary: described.map(written) },
    { weight: method === 'GET' ? 1 : 2, arbitrary: broken },
    { weight: 1, arbitrary: nastyValue.map(value => written(JSON.stringify(value) ?? null)) },
    { weight: 1, arbitrary: fc.constantFrom(...brokenBytes).map(payload => ({ payload, type, bytes: true })) },
    { weight: 1, arbitrary: fc.tuple(described, fc.constantFrom(...contentTypes)).map(([payload, type]) => ({ payload: payload ?? '{}', type, bytes: false })) }
  )
}

const inUrl = (value: unknown): string => encodeURIComponent(String(value).toWellFormed().slice(0, 6_000)).replaceAll('%7B%7B', '{{').replaceAll('%7D%7D', '}}')

function urlOf ({ path, parameters = [] }: Operation): fc.Arbitrary<string> {
  const exampleOf = (parameter: Parameter) => parameter.example === undefined ? good(parameter.schema, parameter.name) : fc.constant(parameter.example)
  const places = parameters.filter(parameter => parameter.in === 'path')
  const queries = parameters.filter(parameter => parameter.in === 'query')
  const segment = (parameter: Parameter) => fc.oneof({ weight: 3, arbitrary: exampleOf(parameter).map(inUrl) }, { weight: 2, arbitrary: nastyText.map(inUrl) }, { weight: 1, arbitrary: fc.constantFrom('%', '%zz', '..', '%2f', ';', 'a%00b', '%c0%af', '') })
  const query = fc.oneof(
    { weight: 3, arbitrary: fc.constant('') },
    ...queries.length === 0
      ? []
      : [{ weight: 6, arbitrary: fc.array(fc.tuple(fc.constantFrom(...queries), fc.boolean()).chain(([parameter, isGood]) => (isGood ? exampleOf(parameter) : nastyText).map(value => `${parameter.name}=${inUrl(value)}`)), { maxLength: 3 }).map(pairs => `?${pairs.join('&')}`) }],
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...strangeNames, 'access_token', 'a[]', 'a[b]', '__proto__[x]'), nastyText).map(([name, value]) => `?${inUrl(name)}=${inUrl(value)}`) },
    { weight: 1, arbitrary: fc.constantFrom('?', '??', '?&&=', '?%', '?%zz=1', '?a=%ff', '?a=1&a=2', `?a=${'b'.repeat(9_000)}`, '?\u00e9', '?__proto__=1&__proto__=2') }
  )
  return fc.tuple(fc.tuple(...places.map(segment)), query).map(([values, search]) => {
    let url = path
    for (const [i, { name }] of places.entries()) url = url.replace(`{${name}}`, () => values[i]!)
    return url + search
  })
}

/** Other spellings of the path: none may lead around its guard. */
const respelled = (url: string): fc.Arbitrary<string> => fc.constantFrom(`/${url}`, `${url}/`, `${url}//`, `${url};x=1`, `/livez/..${url}`, `/livez/%2e%2e${url}`, url.toUpperCase(), url.replaceAll('/', '%2f'), `${url}%00`, `${url}.json`, `*${url}`, url.replace('/v1/', '/v1//'), `${url}#x`, `http://evil.example${url}`, '', '/', '/%', '/\u00e9')

const oddHeaders = fc.array(fc.constantFrom(...Object.keys(strangeHeaders)).chain(name => fc.constantFrom(...strangeHeaders[name]!).map(value => [name, value] as const)), { maxLength: 2 }).map(Object.fromEntries)

const credentials: Record<Exclude<Caller, 'somebody odd'>, Record<string, string>> = {
  nobody: {},
  user: { authorization: 'Bearer {{access}}' },
  admin: { authorization: 'Bearer {{admin}}' },
  service: { authorization: 'Basic {{basic}}' },
}

const callerOf = ({ path, operationId }: Operation): fc.Arbitrary<{ caller: Caller, headers: Record<string, string> }> => {
  const known = (caller: keyof typeof credentials, weight: number) => ({ weight, arbitrary: fc.constant({ caller: caller as Caller, headers: credentials[caller] }) })
  return fc.oneof(
    known('nobody', 3), known('user', 4),
    known('admin', ENDS_EVERYTHING.includes(operationId) ? 0 : path.startsWith('/v1/admin') ? 14 : 2),
    known('service', path.startsWith('/oauth2') ? 8 : 1),
    { weight: 2, arbitrary: fc.constantFrom(...authorizations).map(authorization => ({ caller: 'somebody odd' as const, headers: { authorization } })) }
  )
}

export const requests: fc.Arbitrary<FuzzRequest> = fc.constantFrom(...operations).chain(operation => fc.record({
  who: callerOf(operation),
  body: bodyOf(operation),
  extra: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: oddHeaders }),
  method: fc.oneof({ weight: 30, arbitrary: fc.constant(operation.method) }, { weight: 1, arbitrary: fc.constantFrom(...METHODS) }),
  url: urlOf(operation).chain(url => fc.oneof({ weight: 20, arbitrary: fc.constant(url) }, { weight: 1, arbitrary: respelled(url) })),
}).map(({ who, body, extra, method, url }): FuzzRequest => ({
  operation: operation.operationId,
  caller: who.caller,
  method,
  url,
  // The stream never ends for a cursor that is one, so it is never asked with one.
  headers: { ...body.type !== null && { 'content-type': body.type }, ...who.headers, ...extra, ...operation.path.endsWith('/stream') && { 'last-event-id': 'x' } },
  payload: body.payload,
  bytes: body.bytes,
})))
