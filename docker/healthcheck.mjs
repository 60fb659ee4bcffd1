// For HEALTHCHECK: the base image has no curl, and needs none.
import { get } from 'node:http'

const { HOST: host = '127.0.0.1', PORT: port = '3000' } = process.env
const everywhere = ['0.0.0.0', '::', ''].includes(host)
get({ host: everywhere ? '127.0.0.1' : host, port, path: '/livez', timeout: 2_000 }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1))
  .on('timeout', () => process.exit(1))
  .on('error', () => process.exit(1))
