import { createServer } from 'node:http'
import type { Letter } from '../../test/helpers/mailbox.ts'

const style = `:root{color-scheme:light dark}
body{font:1rem/1.5 Inter,system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1.25rem}
h1{font-size:1.5rem}
article{margin:1rem 0;padding:1.25rem;border:1px solid light-dark(#e2e3ee,#2a2e42);border-radius:1rem}
h2{margin:0;font-size:1.05rem}
p{margin:.25rem 0 0;color:light-dark(#565a73,#a9aec8)}
pre{font:inherit;white-space:pre-wrap;overflow-wrap:anywhere;margin:1rem 0 0}
a{color:light-dark(#4338ca,#a5b4fc)}`

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string): string => text.replace(/[&<>"]/g, char => entities[char]!)
const withLinks = (text: string): string => escaped(text).replace(/https?:\/\/\S+/g, url => `<a href="${url}">${url}</a>`)

const article = ({ to, subject, text }: Letter): string => `<article><h2>${escaped(subject)}</h2><p>To ${escaped(to)}</p><pre>${withLinks(text)}</pre></article>`

/** All mail of the demo, newest first, on a page that looks again by itself. */
export async function serveMail (letters: readonly Letter[], port: number): Promise<{ stop: () => void }> {
  const server = createServer((_request, response) => {
    const mail = letters.toReversed().map(article).join('\n') || '<p>Nothing has come yet.</p>'
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'" })
      .end(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="5"><title>Mail</title><style>${style}</style></head><body><h1>Mail</h1>${mail}</body></html>`)
  })
  await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(port, 'localhost', resolve) })
  return { stop: () => { server.closeAllConnections(); server.close() } }
}
