import { readFileSync } from 'node:fs'
import t from 'tap'

// V8 reads these flags when a process begins, so they stand wherever one does; a compile cache that was made under other flags is not used.
t.test('however the service is started, its heap is of the same form', async t => {
  const flags = '--min-semi-space-size=4 --max-semi-space-size=4'
  const starts: Record<string, string> = {
    'package.json': `exec node ${flags} src/cli/main.ts serve"`,
    'src/cli/main.ts': `#!/usr/bin/env -S node ${flags}\n`,
    'docker/entrypoint.sh': `\nexec node ${flags} "$app/dist/cli/main.js"`,
    Dockerfile: `NODE_COMPILE_CACHE=/app/compile-cache node ${flags} docker/compile-cache.mjs`,
    'bench/processes.ts': `[${flags.split(' ').map(flag => `'${flag}', `).join('')}pathOf(main), 'serve']`,
    'scripts/image-check.ts': `['node', ${flags.split(' ').map(flag => `'${flag}', `).join('')}'/app/dist/cli/main.js'`,
  }
  for (const [file, start] of Object.entries(starts)) t.ok(readFileSync(file, 'utf8').includes(start), `${file}: ${start}`)
})
