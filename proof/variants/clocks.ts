import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from '../../src/errors.ts'
import { underLoad, type Variant } from '../harness/variant.ts'

const LIBRARY = ['x86_64-linux-gnu/', 'aarch64-linux-gnu/', ''].map(folder => `/usr/lib/${folder}faketime/libfaketime.so.1`).find(existsSync)
const OFFSETS = [0, 30, -30]

export const clocks: Variant = {
  what: 'The clock of one node is 30 s fast and that of another 30 s slow (faketime). No fresh token is refused anywhere, and none lives longer.',
  promptly: true,
  run: async setting => {
    if (!LIBRARY) throw new StartError('faketime is missing: `apt-get install faketime`, or your system\'s package of it.')
    return await underLoad(setting, {
      envOf: index => OFFSETS[index] === 0 ? {} : { LD_PRELOAD: LIBRARY, FAKETIME: `${OFFSETS[index]! > 0 ? '+' : ''}${OFFSETS[index]}s`, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
      chaos: async ({ cluster: { places }, notes, broken }) => {
        const seen = await Promise.all(places.map(async ({ url }) => Math.round((Date.parse((await fetch(`${url}/livez`)).headers.get('date')!) - Date.now()) / 1000)))
        notes['clocks of the nodes, seconds off'] = seen.join(', ')
        if (seen.some((off, index) => Math.abs(off - OFFSETS[index]!) > 2)) broken.push(`the clocks are off by ${seen.join(', ')}, not ${OFFSETS.join(', ')}`)
        await sleep(setting.short ? 10_000 : 120_000)
      },
    })
  },
}
