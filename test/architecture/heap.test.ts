import { readFileSync } from 'node:fs'
import t from 'tap'

// V8 reads this flag when a process begins, so it stands wherever one does; a compile cache that was made under other flags is not used.
t.test('however the service is started, its heap is of the same form', async t => {
  const starts: Record<string, RegExp> = {
    'package.json': /"start": ".*exec node (\S+) src\/cli\/main\.ts serve"/,
    'src/cli/main.ts': /^#!\/usr\/bin\/env -S node (\S+)\n/,
    'docker/entrypoint.sh': /^exec node (\S+) "\$app\/dist\/cli\/main\.js"/m,
    Dockerfile: /NODE_COMPILE_CACHE=\S+ node (\S+) docker\/compile-cache\.mjs/,
    'bench/processes.ts': /\['(--max-semi-space-size=\d+)', pathOf\('dist\/cli\/main\.js'\), 'serve'\]/,
  }
  for (const [file, pattern] of Object.entries(starts)) t.equal(pattern.exec(readFileSync(file, 'utf8'))?.[1], '--max-semi-space-size=4', file)
})
