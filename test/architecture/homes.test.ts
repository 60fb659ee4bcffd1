import { existsSync, globSync, readFileSync } from 'node:fs'
import t from 'tap'

type Sources = Record<string, string>

const sources: Sources = Object.fromEntries(['src', 'test', 'scripts'].flatMap(folder => globSync(`${folder}/**/*.{ts,mjs}`))
  .filter(file => !/(^|\/)(generated|node_modules)\//.test(file))
  .map(file => [file, readFileSync(file, 'utf8')]))

/** What may stand in few files of src only. */
const homes = {
  'the environment is read in cli/, server.ts and config.ts': [/process\.env/, /^src\/(cli\/|server\.ts|config\.ts)/],
  'the wall clock is read in lib/clock.ts, in the packages that others run, and for log lines': [/Date\.now|new Date\(\)/, /^src\/(sdk\/(verifier|client)\/|(lib\/clock|log)\.ts$)/],
  'SQL is written in store.ts': [/\$(queryRaw|executeRaw|transaction)|Prisma\.sql/, /^src\/db\/|\/store\.ts$/],
  'nothing is printed but by cli/, and mail where there is no server for it': [/console\.|process\.std(out|err)/, /^src\/(cli\/|core\/mail\/transport\.ts$)/],
} as const

const strays = (files: Sources, [pattern, home]: readonly [RegExp, RegExp]): string[] =>
  Object.entries(files).filter(([file, code]) => file.startsWith('src/') && !home.test(file) && pattern.test(withoutComments(code))).map(([file]) => file)

const withoutComments = (code: string): string => code.replaceAll(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '')

const tooLong = (files: Sources): string[] => Object.entries(files).filter(([, code]) => code.trimEnd().split('\n').length > 300).map(([file]) => file)

const unfinished = (files: Sources): string[] => Object.entries(files).filter(([, code]) => new RegExp(['TO' + 'DO', 'FIX' + 'ME'].join('|')).test(code)).map(([file]) => file)

/** What is wrong with who owns which table: `Owner:` above each model of the schema, and who writes to what. */
function ownershipFaults (schema: string, files: Sources): string[] {
  const owners = new Map([...schema.matchAll(/((?:^\/\/\/.*\n)*)^model \w+ \{[\s\S]*?@@map\("(\w+)"\)/gm)].map(([, comment, table]) => [table!, [...comment!.matchAll(/Owner: (\S+)/g)].map(([, file]) => file!)]))
  const writes = Object.entries(files).filter(([file]) => file.startsWith('src/')).flatMap(([file, code]) =>
    [...withoutComments(code).matchAll(/\b(INSERT INTO|UPDATE|DELETE FROM) (?!SET\b)"?([a-z_]+)/g)].map(([, verb, table]) => ({ file, verb: verb!, table: table! })))
    .filter(({ table }) => table !== '_prisma_migrations')
  return [
    ...[...owners].filter(([, its]) => its.length !== 1 || !/\/store\.ts$/.test(its[0]!)).map(([table]) => `${table} does not name one store.ts as its owner`),
    ...[...owners].filter(([table, [owner]]) => owner !== undefined && !new RegExp(`\\b${table}\\b`).test(files[owner] ?? '')).map(([table, [owner]]) => `${owner} does not speak of ${table}`),
    // An ending and its announcement are one statement, wherever it is.
    ...writes.filter(({ file, table, verb }) => !isOwner(owners.get(table)?.[0], file) && !(verb === 'INSERT INTO' && table === 'revocation' && file.endsWith('/store.ts')))
      .map(({ file, verb, table }) => `${file}: ${verb} ${table}, which is not its own`),
  ]
}

/** A module may keep the statements of one of its capabilities in a store.ts of a folder below. */
const isOwner = (owner: string | undefined, file: string): boolean => owner !== undefined && file.startsWith(owner.slice(0, -'store.ts'.length)) && file.endsWith('/store.ts')

const schema = readFileSync('prisma/schema.prisma', 'utf8')

for (const [rule, where] of Object.entries(homes)) t.test(rule, async t => { t.strictSame(strays(sources, where), []) })

t.test('no file is longer than 300 lines or carries a note that something is left to do', async t => {
  t.ok(Object.keys(sources).length > 80, 'the files were found')
  t.strictSame(tooLong(sources), [])
  t.strictSame(unfinished(sources), [])
})

t.test('every table has exactly one store.ts, and only that writes to it', async t => {
  t.strictSame(ownershipFaults(schema, sources), [])
  for (const [, file] of schema.matchAll(/Owner: (\S+)/g)) t.ok(existsSync(file!), file!)
})

t.test('a planted offence against each of these rules is found', async t => {
  const offences: [keyof typeof homes, string][] = [
    ['the environment is read in cli/, server.ts and config.ts', "const port = process.env['PORT']"],
    ['the wall clock is read in lib/clock.ts, in the packages that others run, and for log lines', 'const now = Date.now()'],
    ['SQL is written in store.ts', 'await db.$queryRaw`SELECT 1`'],
    ['nothing is printed but by cli/, and mail where there is no server for it', 'console.log(token)'],
  ]
  t.equal(offences.length, Object.keys(homes).length)
  for (const [rule, code] of offences) t.strictSame(strays({ 'src/core/planted.ts': code, 'src/core/fine.ts': `// ${code}` }, homes[rule]), ['src/core/planted.ts'], rule)
  t.strictSame(tooLong({ 'src/long.ts': 'x\n'.repeat(301), 'src/short.ts': 'x\n'.repeat(300) }), ['src/long.ts'])
  t.strictSame(unfinished({ 'src/a.ts': `// TO${'DO'}: later`, 'src/b.ts': '// done' }), ['src/a.ts'])

  const model = (owner: string) => `/// A thing. ${owner}\nmodel Thing {\n  id Int @id\n\n  @@map("thing")\n}\n`
  const store = { 'src/core/things/store.ts': 'INSERT INTO thing' }
  t.strictSame(ownershipFaults(model('Owner: src/core/things/store.ts'), store), [])
  t.strictSame(ownershipFaults(model(''), store), ['thing does not name one store.ts as its owner', 'src/core/things/store.ts: INSERT INTO thing, which is not its own'])
  t.strictSame(ownershipFaults(model('Owner: src/core/things/store.ts'), { ...store, 'src/core/other/store.ts': 'DELETE FROM thing' }), ['src/core/other/store.ts: DELETE FROM thing, which is not its own'])
  t.strictSame(ownershipFaults(model('Owner: src/core/things/store.ts'), { ...store, 'src/core/things/part/store.ts': 'DELETE FROM thing' }), [])
  t.strictSame(ownershipFaults(model('Owner: src/core/things/store.ts'), { ...store, 'src/core/things/part.ts': 'DELETE FROM thing' }), ['src/core/things/part.ts: DELETE FROM thing, which is not its own'])
  t.strictSame(ownershipFaults(model('Owner: src/core/things/store.ts'), { 'src/core/things/store.ts': '' }), ['src/core/things/store.ts does not speak of thing'])
})
