import { ServerResponse } from 'node:http'

// Loaded before a node: it does what it is asked for, commits, and dies by SIGKILL at the first byte of its answer.
const fatal = process.env['TEST_DIES_ANSWERING']
const { writeHead } = ServerResponse.prototype
ServerResponse.prototype.writeHead = function (this: ServerResponse, ...head: Parameters<typeof writeHead>) {
  if (`${this.req.method} ${this.req.url}` === fatal) process.kill(process.pid, 'SIGKILL')
  return writeHead.apply(this, head)
} as typeof writeHead
