import { Agent, request } from 'node:http'

export type Answer = { status: number, headers: Record<string, string | string[] | undefined>, json: any }
export type Call = { method: string, url: string, headers?: Record<string, string>, body?: object | undefined, agent: Agent }

/** No client waits longer for one answer; the service promises two seconds. */
const PATIENCE_MS = 10_000

/** One try over a kept connection, as a browser or an app makes it. @throws when no whole answer comes */
export async function exchange ({ method, url, headers, body, agent }: Call): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method, agent,
      headers: { ...headers, ...(payload !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }) },
    }, incoming => {
      let text = ''
      incoming.setEncoding('utf8').on('data', chunk => { text += chunk }).on('error', reject).on('end', () => {
        if (!incoming.complete) { reject(new Error('the answer broke off')); return }
        const isJson = /json/.test(incoming.headers['content-type'] ?? '')
        try { resolve({ status: incoming.statusCode!, headers: incoming.headers, json: isJson ? JSON.parse(text) : null }) } catch (error) { reject(error) }
      })
      incoming.on('close', () => { if (!incoming.complete) reject(new Error('the answer broke off')) })
    })
    outgoing.on('error', reject)
    outgoing.setTimeout(PATIENCE_MS, () => { outgoing.destroy(new Error('no answer in time')) })
    outgoing.end(payload)
  })
}

/**
 * Connections of one client address (the machine has all of 127/8). They are given up before the balancer would close them for idleness,
 * so that no request meets a closing door that has nothing to do with a node.
 */
export const agentFrom = (localAddress: string): Agent => new Agent({ keepAlive: true, keepAliveMsecs: 10_000, localAddress, timeout: 12_000, maxSockets: Infinity, scheduling: 'lifo' })
