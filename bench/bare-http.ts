// node:http and nothing else: more requests than it answers, no server of Node's can be shown by this generator.
import { createServer } from 'node:http'

createServer((_request, response) => { response.setHeader('content-type', 'text/plain').end('ok') }).listen(Number(process.env['PORT']), '127.0.0.1')
