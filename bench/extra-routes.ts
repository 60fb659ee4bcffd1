// Imported before src/cli/main.ts: the service as it ships, in one process with two routes more, which go through all that every request
// passes and ask for no token. They are what verification is compared with, and the product does not have them.
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import type { FastifyInstance } from 'fastify'
import type {} from '../src/http/route-rules.ts'

/** What verify answers, once the benchmark has seen it. */
let answer: { headers: Record<string, string>, body: string } = { headers: {}, body: '' }
process.on('message', said => { answer = said as typeof answer })
process.channel?.unref()

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
// As long as what is signed of a token.
const data = Buffer.alloc(540, 'a')
const key = { key: publicKey, dsaEncoding: 'ieee-p1363' as const }
const signature = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })

subscribe('fastify.initialization', made => {
  const { fastify } = made as { fastify: FastifyInstance }
  const config = { auth: 'none', limit: 'verify' } as const
  fastify.get('/bench/without', { config }, (_request, reply) => { reply.headers(answer.headers).send(answer.body) })
  fastify.get('/bench/signature', { config }, (_request, reply) => {
    if (!verify('sha256', data, key, signature)) throw new Error('a wrong answer')
    reply.headers(answer.headers).send(answer.body)
  })
})
