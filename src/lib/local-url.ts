const EVERYWHERE_OR_HERE = ['0.0.0.0', '127.0.0.1', '::', '::1']

/** Where somebody on this machine finds what listens on `host`. */
export const localUrl = (host: string, port: number): string => `http://${EVERYWHERE_OR_HERE.includes(host) ? 'localhost' : host}:${port}`
