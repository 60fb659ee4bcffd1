#!/usr/bin/env node
// Keeps two things up to date for HAProxy: what has ended (a map of the running process, and its file for the next one) and the public
// keys (files, and a reload when they change, about once a month). Needs Node.js 18 or newer, and nothing else.
//   node follow.mjs --once   writes the files and ends: before the first start of HAProxy
//   node follow.mjs          follows
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const {
  STATELESS_AUTH: service = 'http://127.0.0.1:3000',
  STATE: state = '/var/lib/stateless-auth-haproxy',
  MASTER_SOCKET: masterSocket = '/run/haproxy-master.sock',
  // A client of the service (`clients create`), needed where it runs with FEED_ACCESS=client.
  CLIENT_ID, CLIENT_SECRET,
  // What MAX_SILENCE_SECONDS of HAProxy counts from: the last answer of any node, or, with `database`, the database's time in it.
  FRESHNESS: freshness = 'service',
} = process.env
const headers = CLIENT_ID ? { authorization: `Basic ${btoa(`${CLIENT_ID}:${CLIENT_SECRET}`)}` } : {}
const [haproxy, map, keyMap] = [`${state}/haproxy.sock`, `${state}/ended.map`, `${state}/keys.map`]
const pem = place => `${state}/key-${place}.pem`
const PLACES = ['0', '1', '2', '3', '4', '5', '6', '7']
const KEYS_EVERY_MS = 10_000
const FILE_EVERY_MS = 5_000

/** What has ended: digest → lowest value that is not refused, and until when that matters. */
const ended = new Map()
let [heard, toldLast, cursor] = [0]
let [keysAt, filedAt] = [-Infinity, -Infinity]
// The files may have changed under a running HAProxy while nobody followed.
let reloadDue = true

async function ask (path) {
  const answer = await fetch(new URL(path, service), { headers, redirect: 'manual', signal: AbortSignal.timeout(10_000) })
  if (answer.status === 400) cursor = undefined
  if (answer.status !== 200) throw new Error(`${path.replace(/\?.*/, '')} answered ${answer.status}`)
  return answer
}

/** One command to HAProxy (management guide, 9.3), which closes after its answer. */
const command = (socket, text) => new Promise((resolve, reject) => {
  let answer = ''
  const connection = connect(socket, () => connection.write(`${text}\n`))
  connection.setTimeout(5_000, () => connection.destroy(new Error('HAProxy does not answer')))
  connection.on('data', chunk => { answer += chunk }).on('error', reject).on('close', () => resolve(answer.trim()))
})

/** A command that answers nothing when it succeeds. */
async function tell (text) {
  const answer = await command(haproxy, text)
  if (answer !== '') throw new Error(`HAProxy answered "${answer}"`)
}

function write (path, text) {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}

/** The files of the keys, as published. @returns whether they changed */
async function renewKeys () {
  const { keys } = await (await ask('/.well-known/jwks.json')).json()
  keysAt = Date.now()
  const held = new Map(existsSync(keyMap) ? readFileSync(keyMap, 'utf8').trim().split('\n').map(line => line.split(' ')) : [])
  if (keys.length === held.size && keys.every(({ kid, alg }) => held.get(kid)?.startsWith(`${alg}/`))) return false
  if (keys.length === 0 || keys.length > PLACES.length) throw new Error(`${keys.length} keys, and haproxy.cfg has ${PLACES.length} places`)
  // A key keeps its place while it is published: whoever reads the files in the middle of a change finds every old key where it was.
  const next = new Map(keys.filter(({ kid }) => held.has(kid)).map(({ kid }) => [kid, held.get(kid)]))
  const free = PLACES.filter(place => ![...next.values()].some(value => value.endsWith(`/${place}`)))
  for (const { kid, alg } of keys.filter(({ kid }) => !next.has(kid))) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(kid) || !/^[A-Z0-9]+$/.test(alg)) throw new Error('the key set is not one of stateless-auth')
    const place = free.shift()
    write(pem(place), await (await ask(`/v1/keys/${kid}.pem`)).text())
    next.set(kid, `${alg}/${place}`)
  }
  // An empty place needs a file too; no kid leads to it.
  const [[, some]] = next
  for (const place of free) write(pem(place), readFileSync(pem(some.split('/')[1])))
  write(keyMap, `${[...next].map(entry => entry.join(' ')).join('\n')}\n`)
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
  if (has !== undefined && has === toldLast) {
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

async function follow (once) {
  if (Date.now() - keysAt > KEYS_EVERY_MS && await renewKeys()) reloadDue = true
  const document = await (await ask(cursor === undefined ? '/v1/revocations' : `/v1/revocations?since=${cursor}&wait=2`)).json()
  const news = take(document)
  cursor = document.cursor
  if (document.e.length > 0 || Date.now() - filedAt > FILE_EVERY_MS) {
    write(map, `${everything().join('\n')}\n`)
    filedAt = Date.now()
  }
  if (once) return
  // A revoked key is replaced by one that may not be here yet.
  if (!document.full && document.e.some(([kind]) => kind === 'k')) keysAt = -Infinity
  await push(news)
  if (reloadDue) await command(masterSocket, 'reload')
  reloadDue = false
}

mkdirSync(state, { recursive: true, mode: 0o750 })
const once = process.argv.includes('--once')
for (let fault; ;) {
  try {
    await follow(once)
    if (once) break
    if (fault) console.log('following again')
    fault = undefined
    await sleep(250)
  } catch (error) {
    toldLast = undefined // how much of it arrived is not known
    const text = error.cause ? `${error.message}: ${error.cause.message}` : error.message
    if (text !== fault) console.error(text)
    fault = text
    if (once) process.exit(1)
    await sleep(1_000)
  }
}
