import { createVerifier, VerifierError } from 'stateless-auth-verifier'

// Another service, in whichever runtime this is: verifies, and says when a token that was good has ended.
const [issuer, living, ended] = globalThis.Deno?.args ?? globalThis.process.argv.slice(2)
const verifier = createVerifier({ issuer, audience: 'https://api.example' })
const ask = async (token, options) => await verifier.verify(token, options).then(({ sub }) => sub, error => error instanceof VerifierError ? error.code : String(error))
console.log(JSON.stringify([await ask(living, { maxStaleness: 30 }), await ask(ended), await ask(`${living}x`)]))
while (await ask(living) !== 'revoked') await new Promise(resolve => setTimeout(resolve, 20))
console.log('"revoked"')
verifier.close()
