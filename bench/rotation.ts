import type autocannon from 'autocannon'

type Requests = NonNullable<autocannon.Options['requests']>
const CONNECTIONS = 10

/**
 * Many requests in turn, each connection with a share of its own, so that no two are at the same one. A load goes on where the one
 * before ended: what was sent last is longest ago when it is sent again.
 */
export class Rotation {
  readonly #shares: { requests: Requests, sent: number }[]

  constructor (requests: Requests) {
    const size = Math.ceil(requests.length / CONNECTIONS)
    this.#shares = Array.from({ length: Math.ceil(requests.length / size) }, (_, share) => ({ requests: requests.slice(share * size, (share + 1) * size), sent: 0 }))
  }

  /** For one load. */
  options (): Pick<autocannon.Options, 'connections' | 'setupClient'> {
    let next = 0
    const setupClient = (client: autocannon.Client) => {
      const share = this.#shares[next++]!
      const at = share.sent % share.requests.length
      client.setRequests([...share.requests.slice(at), ...share.requests.slice(0, at)])
      // The first has no answer before it, and the last may never get one.
      share.sent++
      client.on('response', () => { share.sent++ })
    }
    return { connections: this.#shares.length, setupClient }
  }
}
