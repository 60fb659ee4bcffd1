import t from 'tap'
import { nameSchemas, type Document } from '../../src/http/openapi-names.ts'

type Answer = Document['paths'][string][string]['responses'][string]
const object = (title?: string, more: object = {}) => ({ type: 'object', properties: { id: { type: 'string' }, ...more }, ...(title !== undefined && { title }) })
const json = (schema: object): Answer => ({ description: 'It.', content: { 'application/json': { schema } } })
const document = (responses: Record<string, Answer>): Document => ({
  components: { schemas: {} },
  paths: { '/things': { post: { operationId: 'makeThing', requestBody: { content: { 'application/json': { schema: object() } } }, responses } } },
})

t.test('what has a title is one component wherever it stands, and a body is called after its operation', t => {
  const page = { type: 'object', title: 'ThingPage', description: 'It.', properties: { items: { type: 'array', items: object('Thing') } } }
  const its = document({ 201: json(object('Thing')), 200: json(page) })
  nameSchemas(its)
  t.strictSame(Object.keys(its.components.schemas), ['MakeThingRequest', 'Thing', 'ThingPage'].sort())
  const { requestBody, responses } = its.paths['/things']!['post']!
  t.strictSame([requestBody!.content, responses['201']!.content, responses['200']!.content].map(content => content!['application/json']!.schema.$ref),
    ['MakeThingRequest', 'Thing', 'ThingPage'].map(name => `#/components/schemas/${name}`))
  t.strictSame(its.components.schemas['ThingPage'], { type: 'object', title: 'ThingPage', properties: { items: { type: 'array', items: { $ref: '#/components/schemas/Thing' } } } }, 'without the words about the answer')
  t.end()
})

t.test('an answer that a generator would have to name itself, and two that share a name, stop npm run generate', t => {
  t.throws(() => nameSchemas(document({ 200: json(object()) })), /an object of makeThing 200 has no title/)
  t.throws(() => nameSchemas(document({ 200: json(object('Page', { items: { type: 'array', items: object() } })) })), /an object of makeThing 200 has no title/)
  t.throws(() => nameSchemas(document({ 200: json(object('Thing')), 201: json(object('Thing', { name: { type: 'string' } })) })), /two schemas are called Thing; one is of makeThing 201/)
  t.end()
})
