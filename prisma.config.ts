import { defineConfig } from 'prisma/config'

// `prisma generate` and `validate` work without the schema engine, whose download they would otherwise demand.
process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ??= process.execPath

export default defineConfig({ schema: 'prisma/schema.prisma', migrations: { path: 'prisma/migrations' } })
