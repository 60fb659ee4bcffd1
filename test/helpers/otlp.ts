import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type Attributes = Record<string, unknown>
export type Span = { traceId: string, spanId: string, parentId: string, name: string, kind: number, attributes: Attributes, status: number, resource: Attributes }
export type LogRecord = { severity: string, body: unknown, attributes: Attributes, traceId: string, spanId: string }

export type Receiver = {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  url: string
  spans: Span[], logs: LogRecord[]
  /** Each body as it came. */
  bodies: Buffer[], headers: IncomingHttpHeaders[]
}

/** What an OpenTelemetry collector hears over HTTP. `answer` may hang or refuse instead of taking it. */
export async function openReceiver (t: { teardown: (work: () => unknown) => void }, answer = (response: ServerResponse) => { response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end() }): Promise<Receiver> {
  const receiver: Receiver = { url: '', spans: [], logs: [], bodies: [], headers: [] }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      receiver.bodies.push(body)
      receiver.headers.push(request.headers)
      if (request.url === '/v1/traces') receiver.spans.push(...spansIn(body))
      else if (request.url === '/v1/logs') receiver.logs.push(...recordsIn(body))
      answer(response)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close(); server.closeAllConnections() })
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return receiver
}

type Fields = Map<number, (bigint | Buffer)[]>

/** Protocol buffers' wire format: by number, what each field holds, in order. */
function fieldsOf (bytes: Buffer): Fields {
  const fields: Fields = new Map()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const value = [varint, () => take(8), () => take(Number(varint())), undefined, undefined, () => take(4)][tag & 7]!()
    fields.set(tag >> 3, [...fields.get(tag >> 3) ?? [], value])
  }
  return fields
}

const all = (fields: Fields, number: number): Fields[] => (fields.get(number) ?? []).map(value => fieldsOf(value as Buffer))
const bytes = (fields: Fields, number: number): Buffer => fields.get(number)?.[0] as Buffer | undefined ?? Buffer.alloc(0)
const text = (fields: Fields, number: number): string => bytes(fields, number).toString()
const hex = (fields: Fields, number: number): string => bytes(fields, number).toString('hex')
const integer = (fields: Fields, number: number): number => Number(fields.get(number)?.[0] ?? 0)

/** AnyValue. */
function valueOf (fields: Fields): unknown {
  const [[kind, [value]]] = [...fields] as [[number, [bigint | Buffer]]]
  if (kind === 1) return (value as Buffer).toString()
  if (kind === 2) return value === 1n
  if (kind === 3) return Number(value)
  if (kind === 4) return (value as Buffer).readDoubleLE()
  if (kind === 5) return all(fieldsOf(value as Buffer), 1).map(valueOf)
  return kind === 6 ? attributesIn(fieldsOf(value as Buffer), 1) : value
}
const attributesIn = (fields: Fields, number: number): Attributes =>
  Object.fromEntries(all(fields, number).map(pair => { const [value] = all(pair, 2); return [text(pair, 1), value && value.size > 0 ? valueOf(value) : null] }))

const spansIn = (body: Buffer): Span[] => all(fieldsOf(body), 1).flatMap(of => all(of, 2).flatMap(scope => all(scope, 2)).map(span => ({
  traceId: hex(span, 1), spanId: hex(span, 2), parentId: hex(span, 4), name: text(span, 5), kind: integer(span, 6), attributes: attributesIn(span, 9),
  status: all(span, 15).map(status => integer(status, 3))[0] ?? 0, resource: attributesIn(all(of, 1)[0]!, 1),
})))

const recordsIn = (body: Buffer): LogRecord[] => all(fieldsOf(body), 1).flatMap(of => all(of, 2).flatMap(scope => all(scope, 2)).map(record => ({
  severity: text(record, 3), body: valueOf(all(record, 5)[0]!), attributes: attributesIn(record, 6), traceId: hex(record, 9), spanId: hex(record, 10),
})))
