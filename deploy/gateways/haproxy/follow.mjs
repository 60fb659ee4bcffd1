#!/usr/bin/env node
// Keeps HAProxy's copy of two things up to date: what has ended (a map of the running process, and its file for the next one) and the
// public keys (files, and a reload when they change, which is about once a month). Needs Node.js 18 or newer and nothing else.
//   node follow.mjs --once   writes the files and ends: before the first start of HAProxy
//   node follow.mjs          follows
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const {
  STATELESS_AUTH: service = 'http://127.0.0.1:3000',
  STATE: state = '/var/lib/stateless-auth-haproxy',
  MASTER_SOCKET: masterSocket = '/run/haproxy-master.sock',
  // What MAX_SILENCE_SECONDS of HAProxy counts from: the last answer of any node, or, with `database`, the database's time in it.
  FRESHNESS: freshness = 'service',
} = process.env
const PLACES = 8
const KEYS_EVERY_MS = 10_000
const FILE_EVERY_MS = 5_000
const map = `${state}/ended.map`
const haproxy = `${state}/haproxy.sock`

/** What has ended: digest → lowest value that is not refused, and until when that matters. */
const ended = new Map()
let cursor
let heard = 0
let toldLast
let keysAt = -Infinity
let filedAt = -Infinity
// The files may have changed under a running HAProxy while nobody followed.
let reloadDue = true

async function ask (path, timeoutMs = 10_000) {
  const answer = await fetch(new URL(path, service), { redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) })
  if (answer.status === 400) cursor = undefined
  if (answer.status !== 200) throw new Error(`${path.replace(/\?.*/, '')} answered ${answer.status}`)
  return answer
}

/** One command to HAProxy (management guide, 9.3). It closes after the answer. */
const command = (socket, text) => new Promise((resolve, reject) => {
  let answer = ''
  const connection = connect(socket, () => connection.write(`${text}\n`))
  connection.setTimeout(5_000, () => connection.destroy(new Error('HAProxy does not answer')))
  connection.on('data', chunk => { answer += chunk }).on('error', reject).on('close', () => resolve(answer.trim()))
})
async function tell (text) {
  const answer = await command(haproxy, text)
  if (answer !== '') throw new Error(`HAProxy answered "${answer}"`)
}

function write (path, text) {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** @returns whether HAProxy has to read them anew */
async function renewKeys () {
  const { keys } = await (await ask('/.well-known/jwks.json')).json()
  const path = `${state}/keys.map`
  const held = new Map(existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').map(line => line.split(' ')) : [])
  keysAt = Date.now()
  if (keys.length === held.size && keys.every(({ kid, alg }) => held.get(kid)?.startsWith(`${alg}/`))) return false
  if (keys.length === 0 || keys.length > PLACES) throw new Error(`${keys.length} keys, and HAProxy is configured for 1 to ${PLACES}`)
  // A key keeps its place for as long as it is published: whoever reads half of a change finds every old key where it was.
  const next = new Map(keys.filter(({ kid }) => held.has(kid)).map(({ kid }) => [kid, held.get(kid)]))
  const taken = new Set([...next.values()].map(place => place.split('/')[1]))
  const free = Array.from({ length: PLACES }, (_, place) => String(place)).filter(place => !taken.has(place))
  for (const { kid, alg } of keys.filter(({ kid }) => !next.has(kid))) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(kid) || !/^[A-Z0-9]+$/.test(alg)) throw new Error('not a key of stateless-auth')
    const place = free.shift()
    write(`${state}/key-${place}.pem`, await (await ask(`/v1/keys/${kid}.pem`)).text())
    next.set(kid, `${alg}/${place}`)
  }
  // An empty place still needs a file; no kid leads to it.
  const some = readFileSync(`${state}/key-${[...next.values()][0].split('/')[1]}.pem`)
  for (const place of free) write(`${state}/key-${place}.pem`, some)
  write(path, `${[...next].map(entry => entry.join(' ')).join('\n')}\n`)
  return true
}

/** @returns what is to be told */
function take ({ full, e, as_of: asOf }) {
  const [added, raised, gone] = [[], [], []]
  const listed = new Set()
  for (const [, id, expiresAt, val = 0] of e) {
    const known = ended.get(id)
    listed.add(id)
    if (!known || val > known.val) (known ? raised : added).push(`${id} ${val}`)
    ended.set(id, { val: Math.max(val, known?.val ?? val), expiresAt: Math.max(expiresAt, known?.expiresAt ?? 0) })
  }
  for (const [id, { expiresAt }] of ended) {
    if (full ? listed.has(id) : expiresAt >= asOf) continue
    ended.delete(id)
    gone.push(id)
  }
  heard = Math.floor(freshness === 'database' ? asOf : Date.now() / 1000)
  return { added, raised, gone }
}

const everything = () => [...[...ended].map(([id, { val }]) => `${id} ${val}`), `heard ${heard}`]
async function add (version, lines) {
  for (let at = 0; at < lines.length; at += 300) await tell(`add map ${version}${map} <<\n${lines.slice(at, at + 300).join('\n')}\n`)
}

async function push ({ added, raised, gone }) {
  // A process that does not have what was told last is a new one: it has read the file, and missed what came since.
  const has = /value="(\d+)"/.exec(await command(haproxy, `get map ${map} heard`))?.[1]
  const told = has !== undefined && has === toldLast
  toldLast = undefined
  if (told) {
    await add('', added)
    for (const entry of raised) await tell(`set map ${map} ${entry}`)
    for (const id of gone) await tell(`del map ${map} ${id}`)
    await tell(`set map ${map} heard ${heard}`)
  } else {
    const version = /created: (\d+)/.exec(await command(haproxy, `prepare map ${map}`))?.[1]
    await add(`@${version} `, everything())
    await tell(`commit map @${version} ${map}`)
  }
  toldLast = String(heard)
}

mkdirSync(state, { recursive: true, mode: 0o750 })
const once = process.argv.includes('--once')
for (let fault = ''; ;) {
  try {
    if (Date.now() - keysAt > KEYS_EVERY_MS && await renewKeys()) reloadDue = true
    const document = await (await ask(cursor === undefined ? '/v1/revocations' : `/v1/revocations?since=${cursor}&wait=2`)).json()
    const news = take(document)
    cursor = document.cursor
    if (document.e.length > 0 || Date.now() - filedAt > FILE_EVERY_MS) {
      write(map, `${everything().join('\n')}\n`)
      filedAt = Date.now()
    }
    if (once) break
    await push(news)
    if (document.e.some(([kind]) => kind === 'k') && !document.full) keysAt = -Infinity
    if (reloadDue) await command(masterSocket, 'reload')
    reloadDue = false
    if (fault !== '') console.log('following again')
    fault = ''
    await sleep(100)
  } catch (error) {
    const text = `${error.message}${error.cause ? `: ${error.cause.message}` : ''}`
    if (text !== fault) console.error(text)
    fault = text
    if (once) process.exit(1)
    await sleep(1_000)
  }
}
