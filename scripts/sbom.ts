import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

type Component = { name: string, version?: string, purl?: string, hashes?: Array<{ alg: string, content: string }> }
export type Bom = { bomFormat: string, specVersion: string, serialNumber?: string, metadata: { component: { name: string, version: string } }, components: Component[], dependencies: Array<{ ref: string, dependsOn: string[] }> }
type Locked = { version: string, optional?: boolean, integrity: string }

/**
 * What a packed server is made of (CycloneDX, by npm).
 * @param optional false for the image, which has neither the embedded PostgreSQL nor a Node.js from npm
 */
export const bomOf = (folder: string, { optional }: { optional: boolean }): Bom =>
  JSON.parse(execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only', '--omit', 'dev', ...optional ? [] : ['--omit', 'optional']], { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 26 })) as Bom

const hex = (integrity: string): string => Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex')

/** @returns where a bill of materials and the lock file that it was made from disagree */
export function bomFaults (bom: Bom, folder: string, { optional }: { optional: boolean }): string[] {
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string, version: string }
  const lock = JSON.parse(readFileSync(join(folder, 'npm-shrinkwrap.json'), 'utf8')) as { packages: Record<string, Locked> }
  const expected = new Map(Object.entries(lock.packages).filter(([path, { optional: left }]) => path !== '' && (optional || left !== true))
    .map(([path, { version, integrity }]) => [`${path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)}@${version}`, hex(integrity)]))
  const listed = new Map(bom.components.map(component => [`${component.name}@${component.version}`, component]))
  const { component } = bom.metadata
  return [
    ...bom.bomFormat === 'CycloneDX' && bom.specVersion === '1.5' && /^urn:uuid:/.test(bom.serialNumber ?? '') ? [] : ['it is no CycloneDX 1.5 document with a serial number'],
    ...component.name === name && component.version === version ? [] : [`it is of ${component.name}@${component.version}, not of ${name}@${version}`],
    ...[...expected.keys()].filter(key => !listed.has(key)).map(key => `${key} is missing`),
    ...[...listed.keys()].filter(key => !expected.has(key)).map(key => `${key} is not installed`),
    ...[...listed].filter(([key, { purl, hashes }]) => expected.has(key) && (!purl?.startsWith('pkg:npm/') || !hashes?.some(({ alg, content }) => alg === 'SHA-512' && content === expected.get(key)))).map(([key]) => `${key} has another hash or no package URL`),
    ...bom.dependencies.length === bom.components.length + 1 ? [] : ['not every component says what it depends on'],
  ]
}
