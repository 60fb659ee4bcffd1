import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils'
import { SchemaEngine } from '@prisma/schema-engine-wasm'

type Rows = unknown[][]
type Query = { sql: string }
type PgAdapter = {
  performIO: (query: Query) => Promise<{ fields: { dataTypeID: number }[], rows: Rows }>
  queryRaw: (query: Query) => Promise<{ columnTypes: number[], rows: Rows }>
}

const CHAR = 18
const TEXT = 25

/** Prisma's own engine reads catalogue columns of type "char", which its own adapter cannot decode. */
function withChar (adapter: PgAdapter): PgAdapter {
  const { performIO, queryRaw } = adapter
  const chars = new WeakMap<Rows, number[]>()
  adapter.performIO = async query => {
    const result = await performIO.call(adapter, query)
    chars.set(result.rows, result.fields.flatMap((field, at) => field.dataTypeID === CHAR ? [at] : []))
    for (const field of result.fields) if (field.dataTypeID === CHAR) field.dataTypeID = TEXT
    return result
  }
  adapter.queryRaw = async query => {
    const answer = await queryRaw.call(adapter, query)
    for (const at of chars.get(answer.rows) ?? []) answer.columnTypes[at] = ColumnTypeEnum.Character
    return answer
  }
  return adapter
}

/** The engine behind `prisma migrate`, without its binary, on a database that exists. */
export async function schemaEngine (databaseUrl: string, schema: string): Promise<SchemaEngine> {
  Object.assign(globalThis, { PRISMA_WASM_PANIC_REGISTRY: { set_message: (message: string) => process.stderr.write(message) } })
  const factory = new PrismaPg({ connectionString: databaseUrl })
  const connect = factory.connect.bind(factory)
  factory.connect = async () => withChar(await connect() as unknown as PgAdapter) as never
  return await SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => {}, bindMigrationAwareSqlAdapterFactory(factory) as never)
}

const NO_FILTERS = { externalTables: [], externalEnums: [] }

/** The SQL that would make the database what the schema says; empty when it is. */
export async function drift (engine: SchemaEngine, schema: string): Promise<string> {
  const files = [{ path: 'schema.prisma', content: schema }]
  const { stdout } = await engine.diff({
    from: { tag: 'schemaDatasource', files, configDir: '.' },
    to: { tag: 'schemaDatamodel', files },
    script: true,
    exitCode: true,
    filters: NO_FILTERS,
  })
  return stdout === '-- This is an empty migration.\n' ? '' : stdout ?? 'no answer'
}

/** What `prisma migrate status` says about our _prisma_migrations. */
export async function history (engine: SchemaEngine, migrations: readonly { name: string, sql: string }[]) {
  return await engine.diagnoseMigrationHistory({
    migrationsList: {
      baseDir: '/migrations',
      lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
      shadowDbInitScript: '',
      migrationDirectories: migrations.map(({ name, sql }) => ({ path: name, migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } } })),
    },
    optInToShadowDatabase: false,
    filters: NO_FILTERS,
  })
}
