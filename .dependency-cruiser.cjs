// Who may import whom (ARCHITECTURE.md). test/architecture/imports.test.ts plants a violation of each rule.

/** Layer → what of ours it may import. Everything else of ours is above it or beside it. */
const layers = {
  lib: ['^src/lib/', ['^src/lib/']],
  db: ['^src/db/', ['^src/(db|lib)/', '^src/(errors|log|trace)[.]ts$']],
  // Shipped to others: it stands on nothing of ours.
  sdk: ['^src/sdk/(?!client/)', ['^src/sdk/(?!client/)']],
  client: ['^src/sdk/client/', ['^src/sdk/client/']],
  core: ['^src/core/', ['^src/(core|db|lib)/', '^src/(errors|log|trace|config-values|paths)[.]ts$', '^src/sdk/(canonical|claims)[.]ts$']],
  context: ['^src/(verifier-)?context[.]ts$', ['^src/(core|db|lib)/', '^src/(context|config|config-values|errors|log)[.]ts$']],
  // faults.ts only judges an error: what the database's absence looks like is known in one place.
  http: ['^src/http/', ['^src/(http|core|lib)/', '^src/(errors|context|log)[.]ts$', '^src/db/faults[.]ts$', '^src/sdk/verified-tokens[.]ts$']],
  features: ['^src/features/', ['^src/(features|http|core|lib)/', '^src/(errors|context|config|log)[.]ts$', '^src/db/client[.]ts$']],
  jobs: ['^src/jobs/', ['^src/(jobs|core|lib)/', '^src/(errors|context|log|trace)[.]ts$', '^src/db/client[.]ts$']],
  metrics: ['^src/metrics/', ['^src/metrics/', '^src/http/tally[.]ts$', '^src/lib/histogram[.]ts$', '^src/(config|context|errors|log|paths)[.]ts$']],
  telemetry: ['^src/telemetry/', ['^src/telemetry/', '^src/http/request-context[.]ts$', '^src/(config-otel|log|trace)[.]ts$']],
  app: ['^src/app(-full)?[.]ts$', ['^src/(features|http)/', '^src/(app-full|context)[.]ts$']],
  server: ['^src/server[.]ts$', ['^src/(jobs|lib|metrics)/', '^src/http/tally[.]ts$', '^src/(app|context|verifier-context|config|errors|log|prepare-database)[.]ts$']],
  cli: ['^src/cli/', ['^src/(cli|core|db|lib|metrics|telemetry)/', '^src/(server|config|config-values|dev-settings|errors|log|paths|prepare-database)[.]ts$']],
  'prepare-database': ['^src/prepare-database[.]ts$', ['^src/db/migrate[.]ts$', '^src/core/jobs/install(ed)?[.]ts$', '^src/(config|config-values|dev-settings|log|paths)[.]ts$']],
  'dev-settings': ['^src/dev-settings[.]ts$', ['^src/db/embedded/', '^src/(config|config-values|errors)[.]ts$']],
  config: ['^src/config[.]ts$', ['^src/(config-values|config-otel|errors)[.]ts$']],
  log: ['^src/log[.]ts$', ['^src/config[.]ts$']],
  leaves: ['^src/(errors|config-values|config-otel|paths|trace)[.]ts$', ['^$']],
}

const FASTIFY = 'node_modules/(fastify|fastify-plugin|@fastify/[^/]+|@scalar/[^/]+)/'

const homes = {
  argon2: ['node_modules/argon2/', '^src/core/passwords/hash[.]ts$'],
  bcrypt: ['node_modules/bcrypt/', '^src/core/passwords/foreign/bcrypt[.]ts$'],
  'fastify-jwt': ['node_modules/@fastify/jwt/', '^src/http/authenticate[.]ts$'],
  'fast-jwt': ['node_modules/fast-jwt/', '^src/core/tokens/'],
  'pg-boss': ['node_modules/pg-boss/', '^src/core/jobs/'],
  nodemailer: ['node_modules/nodemailer/', '^src/core/mail/'],
  'rate-limiter-flexible': ['node_modules/(rate-limiter-flexible|ioredis)/', '^src/core/throttle/'],
  pg: ['node_modules/(pg|@prisma/adapter-pg)/', '^src/db/'],
  opentelemetry: ['node_modules/@opentelemetry/', '^src/telemetry/'],
  'generated-prisma': ['^src/db/generated/|node_modules/@prisma/client/', '^src/db/|/store[.]ts$'],
}

const forbid = (name, comment, from, to) => ({ name, severity: 'error', comment, from, to })

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    forbid('no-circular', 'What imports itself cannot be read, tested or moved apart.', {}, { circular: true }),
    forbid('resolvable', 'An import that leads nowhere.', {}, { couldNotResolve: true }),
    forbid('no-development-dependencies', 'The image is installed without them; types vanish before that.',
      { path: '^src/', pathNot: '^src/sdk/client/' }, { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'] }),
    ...Object.entries(layers).map(([layer, [path, allowed]]) =>
      forbid(`layer-${layer}`, 'Imports go one way: lib → db → core → context → http → features → app → server → cli.', { path }, { path: '^src/', pathNot: allowed })),
    forbid('lib-is-pure', 'No I/O and no package: it can be read alone.', { path: '^src/lib/' }, { path: '.', pathNot: ['^src/', '^(node:)?crypto$'] }),
    forbid('sdk-runs-anywhere', 'Node, Deno, Bun and edge runtimes: no built-in is imported, and two packages are.', { path: '^src/sdk/(?!client/)' }, { path: '.', pathNot: ['^src/', 'node_modules/(jose|@noble/hashes)/'] }),
    forbid('client-runs-in-pages', 'It is bundled into them, with the one package it has; the service does not ship it.', { path: '^src/sdk/client/' }, { path: '.', pathNot: ['^src/', 'node_modules/openapi-fetch/'] }),
    forbid('features-apart', 'Features meet in core (state) or in app.ts (wiring).', { path: '^src/features/([^/]+)/' }, { path: '^src/features/', pathNot: '^src/features/$1/' }),
    forbid('fastify-in-http', 'Below http nothing knows how a request arrives.', { path: '^src/', pathNot: '^src/(lib|http|features|telemetry)/|^src/app(-full)?[.]ts$' }, { path: FASTIFY }),
    forbid('fastify-in-routes', 'A rule of a feature takes values, not requests.', { path: '^src/features/', pathNot: '/routes[.]ts$' }, { path: FASTIFY }),
    forbid('context-as-type', 'It is handed down, never fetched.', { path: '^src/(http|features|jobs|metrics)/' }, { path: '^src/context[.]ts$', dependencyTypesNot: ['type-only'] }),
    forbid('telemetry-on-demand', 'Nobody who did not ask for it pays for it.', { path: '^src/', pathNot: '^src/telemetry/' }, { path: '^src/telemetry/', dependencyTypesNot: ['type-only', 'dynamic-import'] }),
    forbid('database-as-type', 'SQL lives in store.ts; here a database is only passed on.', { path: '^src/(features|jobs)/' }, { path: '^src/db/client[.]ts$', dependencyTypesNot: ['type-only'] }),
    forbid('verifier-without-database', 'A node with MODE=verifier does not even load what it takes to have one.', { path: '^src/(verifier-context[.]ts$|core/upstream/)' }, { path: '^src/db/|/store[.]ts$', dependencyTypesNot: ['type-only'] }),
    ...Object.entries(homes).map(([name, [path, home]]) =>
      forbid(`home-of-${name}`, 'One home each.', { path: '^src/', pathNot: ['^src/lib/', home] }, { path })),
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^src/db/generated/'] },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'require', 'node', 'default', 'types'], extensions: ['.ts', '.js', '.json', '.d.ts'] },
  },
}
