import { execFileSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus } from 'node:os'
import { configuration } from './balancer.ts'
import { figures } from './report.ts'
import type { Outcome, Variant } from './variant.ts'

type Result = { date: string, commit: string, machine: string, seed: number, seconds: number, figures: [string, string][], broken: string[] }

const RESULTS = 'proof/results'

/** What came out of one variant in the long form; the last time it was run counts. */
export async function keepResult (name: string, { outcome, broken, seed, seconds }: { outcome: Outcome, broken: string[], seed: number, seconds: number }): Promise<void> {
  const result: Result = {
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    machine: `Node.js ${process.version}, ${availableParallelism()} cores (${cpus()[0]?.model})`,
    seed, seconds: Math.round(seconds), figures: figures(outcome), broken,
  }
  await mkdir(RESULTS, { recursive: true })
  await writeFile(`${RESULTS}/${name}.json`, `${JSON.stringify(result, null, 2)}\n`)
}

const resultOf = async (name: string): Promise<Result | null> =>
  await readFile(`${RESULTS}/${name}.json`, 'utf8').then(text => JSON.parse(text) as Result, () => null)

function section (what: string, name: string, result: Result | null): string {
  if (!result) return `\n## ${name}\n\n${what}\n\nNot run in the long form yet.\n`
  const { date, commit, machine, seed, seconds, figures, broken } = result
  return `
## ${name}

${what}

| | |
| --- | --- |
${figures.map(([label, value]) => `| ${label} | ${value} |`).join('\n')}

${broken.length === 0 ? 'Holds.' : `**Broken:** ${broken.join('; ')}.`} ${date}, commit ${commit}, ${machine}, ${seconds} s. Again: \`npm run proof -- ${name} --seed ${seed}\`.
`
}

/** docs/proof.md: what was run, on what, and what came out. */
export async function writeDocument (variants: Readonly<Record<string, Variant>>): Promise<void> {
  const results = await Promise.all(Object.entries(variants).map(async ([name, { what }]) => ({ name, what, result: await resultOf(name) })))
  const holds = results.every(({ result }) => result?.broken.length === 0)
  const sections = results.map(({ name, what, result }) => section(what, name, result))
  await writeFile('docs/proof.md', `# The proof

<!-- Written by \`npm run proof\`. -->

${holds ? 'Every variant holds.' : '**Not every variant holds, or has been run.**'} Again: \`npm run proof\`; some variants: \`npm run proof -- kill-nodes clocks\`; in some five minutes: \`npm run proof -- --short\`. It needs HAProxy and faketime (Debian's packages).

Three nodes and one PostgreSQL stand behind HAProxy. The load is an open loop of 200 requests a second (100 in the short form): 70 % verify, 15 % refresh, 10 % sign-in, 5 % sign-up, logout and
logout-all, by users of apps, of pages, and of browsers with ten tabs that share one cookie and refresh at once or one shortly after the other. Load, nodes, database and balancer share
the machine. Clients obey [what is documented](errors.md) and nothing else: after a network error, 429, 502 or 503 they wait and send the same again, for 30 s at most; only \`session_ended\` ends a session.
Each keeps its own history, and when all is quiet it is held against the service: sessions that nobody ended continue, endings stand, accounts exist.

* *Lost session*: \`session_ended\` or \`no_session\` that no client asked for.
* *Non-retryable error*: any other answer that is neither success nor an expected refusal, a good token that is refused, and a request that never succeeds within 30 s. Expected: 409 when a sign-up
  is repeated whose first answer was lost, 401 when a logout-all is.
* *Acknowledged write lost*: an account that cannot sign in, an ending that does not stand at the end, or that a node does not obey 3 s later (10 s where the database itself was away).
* *First-try failure*: a request that had to be sent again, by what its first try got. \`503 login_busy\` comes when the processors are busy hashing passwords.
* *Staleness*: from the acknowledgement of an ending to the moment at which each *other* node, asked directly every 20 ms, and a verifier of the SDK in another process refuse a token of it. The
  time in which a node is down does not count, because it accepts nothing then; all other time does.
${sections.join('')}
## The balancer

It may send a request again only when the connection was refused, so that no node has seen it. What breaks after it was sent is the client's to repeat.

\`\`\`
${configuration('PORT', [1, 2, 3].map(number => ({ name: `n${number}`, port: `PORT${number}` }))).trim()}
\`\`\`
`)
}
