import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import t from 'tap'
import { parse } from 'yaml'
import { endsSession, isRepeatable, mayEndSession, takesToken, usesCookies } from '../../src/sdk/client/operations.ts'

type Operation = { operationId: string, security?: Record<string, unknown>[], responses: Record<string, { description: string }> }
const { paths } = parse(readFileSync('openapi.yaml', 'utf8')) as { paths: Record<string, Record<string, Operation>> }
const operations = Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ method: method.toUpperCase(), path, ...operation })))

t.test('the client knows of each operation what the contract says', t => {
  for (const { method, path, operationId, security = [], responses } of operations) {
    t.equal(takesToken(path), security.some(way => 'accessToken' in way) && path.startsWith('/v1/') && !path.startsWith('/v1/revocations'), `${operationId} takes a token`)
    t.equal(usesCookies(path), /origin_not_allowed/.test(responses['403']?.description ?? ''), `${operationId} has to do with cookies`)
    if (isRepeatable(new Request(`http://x${path}`, { method }), path)) t.ok(method !== 'POST' || endsSession(path) || path === '/v1/email-verification/confirm', `${operationId} may be repeated`)
  }
  const named = (test: (path: string) => boolean) => [...new Set(operations.filter(({ path }) => test(path)).map(({ operationId }) => operationId))].sort()
  t.strictSame(named(endsSession), ['deleteMe', 'logout', 'logoutAll'])
  t.strictSame(named(path => mayEndSession(path, '{sid}')), ['confirmEmailChange', 'confirmPasswordReset', 'endMySession'])
  t.end()
})

t.test('the whole client with what it stands on is smaller than ten kilobytes', async t => {
  const { outputFiles } = await build({ entryPoints: ['src/sdk/client/index.ts'], bundle: true, minify: true, format: 'esm', target: 'es2022', write: false })
  const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).length
  t.comment(`${size} bytes, minified and compressed`)
  t.ok(size <= 10_000, `${size} bytes`)
})
