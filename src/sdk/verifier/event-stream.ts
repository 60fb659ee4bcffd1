export type StreamEvent = { id: string, event: string, data: string }

/** Server-sent events of a body, as the service writes them (lines end in LF or CRLF). `alive` is called for every chunk. */
export async function * readEvents (body: ReadableStream<Uint8Array>, alive: () => void): AsyncGenerator<StreamEvent> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let partial = ''
  const block = new Map<string, string>()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      alive()
      // Only the new chunk is searched: a snapshot is one line of many chunks.
      const lines = decoder.decode(value, { stream: true }).split('\n')
      lines[0] = partial + lines[0]!
      partial = lines.pop()!
      for (const line of lines.map(line => line.endsWith('\r') ? line.slice(0, -1) : line)) {
        const colon = line.indexOf(':')
        if (colon > 0) block.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
        if (line !== '') continue
        const data = block.get('data')
        if (data !== undefined) yield { id: block.get('id') ?? '', event: block.get('event') ?? 'message', data }
        block.clear()
      }
    }
  } finally { await reader.cancel().catch(() => {}) }
}
