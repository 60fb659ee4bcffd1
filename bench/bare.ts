import Fastify from 'fastify'

const { headers, body } = JSON.parse(process.env['ANSWER']!) as { headers: Record<string, string>, body: unknown }
const app = Fastify()
app.get('/', async (_request, reply) => {
  reply.headers(headers)
  return body
})
await app.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' })
