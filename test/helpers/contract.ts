import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

type Operation = { security?: object[], responses: Record<string, { content?: Record<string, { schema: object }> }> }
export type Contract = { paths: Record<string, Record<string, Operation>>, components: { schemas: Record<string, object> } }

export const contract = parse(readFileSync('openapi.yaml', 'utf8')) as Contract

const ajv = new Ajv2020({ strict: false, allErrors: true })
;(addFormats as unknown as (instance: Ajv2020) => void)(ajv)
ajv.addSchema({ ...contract, $id: 'openapi' } as object)

const paths = Object.keys(contract.paths).map(path => ({
  path, pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
}))

type Answer = { statusCode: number, headers: Record<string, unknown>, body: string }

/** @returns what is wrong with an answer as openapi.yaml describes it; null when nothing is, or the path is no operation */
export function contractFault (method: string, url: string, answer: Answer): string | null {
  const path = paths.find(({ pattern }) => pattern.test(url.split('?', 1)[0]!))?.path
  const operation = path && contract.paths[path]?.[method.toLowerCase()]
  if (!operation) return null
  const where = `${method} ${path} → ${answer.statusCode}`
  const documented = operation.responses[String(answer.statusCode)]
  if (!documented) return `${where} is not in openapi.yaml: ${answer.body.slice(0, 200)}`
  if (!documented.content) return answer.body === '' ? null : `${where} has a body, openapi.yaml has none`
  if (method === 'HEAD') return null
  const type = String(answer.headers['content-type'] ?? '').split(';', 1)[0]!
  if (!documented.content[type]) return `${where} has content type ${type}, which openapi.yaml does not name`
  if (!type.endsWith('json')) return null
  const pointer = ['paths', path, method.toLowerCase(), 'responses', answer.statusCode, 'content', type, 'schema']
    .map(part => encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
  const validate = ajv.getSchema(`openapi#/${pointer}`)
  if (!validate) return `${where} has no schema`
  return validate(JSON.parse(answer.body)) ? null : `${where}: ${ajv.errorsText(validate.errors)}`
}
