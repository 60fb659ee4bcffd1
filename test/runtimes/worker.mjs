import { createVerifier, VerifierError } from 'stateless-auth-verifier'

// At the edge one verifier serves many requests, and nothing runs between them: every call says how old the endings may be.
let verifier
export default {
  async fetch (request, { ISSUER }) {
    verifier ??= createVerifier({ issuer: ISSUER, audience: 'https://api.example' })
    const token = request.headers.get('authorization').slice('Bearer '.length)
    const outcome = await verifier.verify(token, { maxStaleness: 1 }).then(({ sub }) => sub, error => error instanceof VerifierError ? error.code : String(error))
    return new Response(outcome)
  },
}
