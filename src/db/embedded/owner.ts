import { readFile, rm } from 'node:fs/promises'
import { StartError } from '../../errors.ts'
import { createFile } from './create-file.ts'
import { signal } from './postmaster.ts'

/** Writes our pid into `file`, or refuses while the process named there lives. The file of a killed owner is taken over. */
export async function claimOwnership (file: string, folder: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await createFile(file, `${process.pid} ${await startedAt(process.pid)}`)
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const pid = await livingOwner(file)
    if (pid !== null) {
      throw new StartError(`The embedded database in ${folder} is in use by process ${pid}; stop that one first, or set DATABASE_URL or DATA_DIR.`)
    }
    await rm(file, { force: true })
  }
  throw new StartError(`The embedded database in ${folder} is being started by several processes at once.`)
}

/** The pid of the owner named in `file`, or null when there is none, or it is dead, or it is this process. */
export async function livingOwner (file: string): Promise<number | null> {
  const [text, started] = (await readFile(file, 'utf8').catch(() => '')).split(' ')
  const pid = Number(text)
  if (!text || pid === process.pid || !signal(pid, 0)) return null
  return await startedAt(pid) === started ? pid : null
}

/** In containers pids repeat, so a pid alone does not name a process; its start time beside it does. */
async function startedAt (pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return status.slice(status.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
