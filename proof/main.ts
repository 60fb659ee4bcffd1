// npm run proof [-- name …] [-- --short] [-- --seed N]: three nodes, one PostgreSQL, HAProxy, clients that keep their own history, and everything
// that may go wrong. Ends with 1 and says which figure broke. The long form keeps each result in proof/results/ and writes docs/proof.md; the short form writes nothing.
import { randomInt } from 'node:crypto'
import { StartError } from '../src/errors.ts'
import { Endings } from './harness/endings.ts'
import { print, verdict } from './harness/report.ts'
import type { Outcome, Variant } from './harness/variant.ts'
import { keepResult, writeDocument } from './harness/document.ts'
import { clocks } from './variants/clocks.ts'
import { cutOff } from './variants/cut-off.ts'
import { keyRotations } from './variants/key-rotations.ts'
import { killNodes } from './variants/kill-nodes.ts'
import { lostAnswers } from './variants/lost-answers.ts'
import { postgresCrash } from './variants/postgres-crash.ts'
import { rollingSigterm } from './variants/rolling-sigterm.ts'
import { rollingUpgrade } from './variants/rolling-upgrade.ts'
import { standbyPromoted } from './variants/standby-promoted.ts'
import { truncate } from './variants/truncate.ts'

const variants: Record<string, Variant> = {
  'kill-nodes': killNodes,
  'lost-answers': lostAnswers,
  'rolling-sigterm': rollingSigterm,
  'key-rotations': keyRotations,
  'postgres-crash': postgresCrash,
  'standby-promoted': standbyPromoted,
  'cut-off': cutOff,
  clocks,
  truncate,
  'rolling-upgrade': rollingUpgrade,
}
const LONGEST_MS = { short: 120_000, long: 1_200_000 }

const args = process.argv.slice(2)
const short = args.includes('--short')
const seedAt = args.indexOf('--seed')
const seed = seedAt >= 0 ? Number(args.splice(seedAt, 2)[1]) : randomInt(2 ** 31)
const asked = args.filter(arg => !arg.startsWith('--'))
const unknown = asked.filter(name => !Object.hasOwn(variants, name))
if (unknown.length > 0 || !Number.isInteger(seed)) {
  process.stderr.write(`There is no variant ${unknown.join(', ')}; there are ${Object.keys(variants).join(', ')}.\n`)
  process.exit(2)
}

let endings = new Endings()
let exitCode: number | undefined
async function stop (code: number): Promise<never> {
  exitCode ??= code
  await endings.end()
  process.exit(exitCode)
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { stop(130) })
process.on('uncaughtException', error => { process.stderr.write(`${error.stack}\n`); stop(1) })

const done: { name: string, variant: Variant, outcome: Outcome, broken: string[] }[] = []
for (const name of asked.length > 0 ? asked : Object.keys(variants)) {
  const variant = variants[name]!
  const began = performance.now()
  const say = (line: string) => { process.stdout.write(`  ${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}\n`) }
  process.stdout.write(`\n${name}: ${variant.what} (seed ${seed})\n`)
  const tooLong = setTimeout(() => { process.stderr.write(`${name} takes too long\n`); stop(1) }, short ? LONGEST_MS.short : LONGEST_MS.long)
  endings = new Endings()
  const outcome = await variant.run({ short, seed, endings, say }).catch(async (error: Error) => {
    if (exitCode === undefined) process.stderr.write(`${name}: ${error instanceof StartError ? error.message : error.stack}\n`)
    return await stop(1)
  })
  await endings.end()
  clearTimeout(tooLong)
  const broken = verdict(variant, outcome, short)
  const seconds = (performance.now() - began) / 1000
  print(name, outcome, broken, seconds)
  if (!short) {
    await keepResult(name, { outcome, broken, seed, seconds })
    await writeDocument(variants)
  }
  done.push({ name, variant, outcome, broken })
}

const failed = done.filter(({ broken }) => broken.length > 0)
process.stdout.write(failed.length === 0 ? `\nThe proof holds: ${done.map(({ name }) => name).join(', ')}.\n` : `\nThe proof is broken: ${failed.map(({ name, broken }) => `${name} (${broken.join('; ')})`).join(', ')}.\n`)
process.exit(failed.length === 0 ? 0 : 1)
