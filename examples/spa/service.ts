import cors from '@fastify/cors'
import Fastify from 'fastify'
import type { AccessClaims } from 'stateless-auth-verifier'
import { createVerifier } from 'stateless-auth-verifier'
import { authenticate } from 'stateless-auth-verifier/fastify'

declare module 'fastify' { interface FastifyRequest { auth: AccessClaims } }

// A second service, of another origin. It never asks the first one about a request: keys and endings come to it, ahead of time.
const issuer = process.env['AUTH_URL'] ?? 'http://localhost:3000'
const verifier = createVerifier({ issuer, audience: issuer })
const app = Fastify()

await app.register(cors, { origin: process.env['APP_URL'] ?? 'http://localhost:5173', allowedHeaders: ['authorization'], maxAge: 600 })

app.get('/greeting', { onRequest: authenticate(verifier) }, async ({ auth }) => ({
  greeting: 'Hello from another origin.',
  subject: auth.sub,
  session: auth.sid,
  signed_in_at: auth.auth_time,
  token_expires_at: auth.exp,
  feed_age_seconds: Math.round(verifier.staleness() * 10) / 10,
}))

// Without waiting for it: the issuer may start later than we do.
verifier.start()
console.log(`second service on ${await app.listen({ host: process.env['HOST'] ?? 'localhost', port: Number(process.env['PORT'] ?? 4000) })}`)

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, async () => { verifier.close(); await app.close() })
