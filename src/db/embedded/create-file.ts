import { randomUUID } from 'node:crypto'
import { link, rm, writeFile } from 'node:fs/promises'

/** Makes a file, or throws EEXIST. It appears with all of its content: nobody reads half of it, and a killed writer leaves none. */
export async function createFile (file: string, content: string, mode = 0o644): Promise<void> {
  const draft = `${file}.${randomUUID()}`
  await writeFile(draft, content, { flag: 'wx', mode })
  try { await link(draft, file) } finally { await rm(draft, { force: true }) }
}
