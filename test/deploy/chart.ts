import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { renderChartSchema } from '../../scripts/generate.ts'
import { loadConfig, variables } from '../../src/config.ts'
import { runTool, TOOLS } from './support/tools.ts'

const CHART = 'deploy/helm/stateless-auth'
const SETS = readdirSync(`${CHART}/ci`).sort()
const values = (set: string): string => `${CHART}/ci/${set}`
/** The oldest that Chart.yaml allows, and the newest that test/deploy/tools.sh has schemas of. */
const KUBERNETES = ['1.30.0', '1.37.0']

const template = async (args: string[]) => await runTool('helm', ['template', 'auth', CHART, '--namespace', 'identity', ...args])
const renderings = new Map<string, Promise<any[]>>()
const rendered = async (set: string): Promise<any[]> => {
  if (!renderings.has(set)) renderings.set(set, template(['-f', values(set)]).then(({ stdout }) => parseAllDocuments(stdout).map(document => document.toJS())))
  return await renderings.get(set)!
}
const conforms = async (yaml: string, version: string) => await runTool('kubeconform', [
  '-strict', '-kubernetes-version', version, '-skip', 'ServiceMonitor,PrometheusRule',
  '-schema-location', `${TOOLS}/schemas/{{.NormalizedKubernetesVersion}}{{.StrictSuffix}}/{{.ResourceKind}}{{.KindSuffix}}.json`, '-',
], { input: yaml })

t.test('with every set of values Helm finds nothing to say, and Kubernetes would take what comes out', async t => {
  t.ok(SETS.length >= 3)
  await Promise.all(SETS.map(async set => {
    const lint = await runTool('helm', ['lint', '--strict', '--quiet', CHART, '-f', values(set)])
    t.ok(lint.ok, `${set}: lint ${lint.stdout}`)
    const { ok, stdout: yaml, stderr } = await template(['-f', values(set), '--kube-version', KUBERNETES[0]!])
    t.ok(ok, `${set}: rendered ${stderr}`)
    for (const version of KUBERNETES) {
      const judged = await conforms(yaml, version)
      t.ok(judged.ok, `${set}: Kubernetes ${version} ${judged.stdout}`)
    }
  }))
  const { stdout: yaml } = await template(['-f', values('full-values.yaml')])
  for (const [from, to] of [['topologyKey', 'topologyKy'], ['maxUnavailable: 1', 'maxUnavailable: [1]']] as const) t.notOk((await conforms(yaml.replace(from, to), KUBERNETES[1]!)).ok, `${to} is noticed`)
  t.notOk((await template(['-f', values('minimal-values.yaml'), '--kube-version', '1.29.0'])).ok, 'not where preStop knows no sleep')
})

t.test('what is for Prometheus\' operator is what it takes', async t => {
  const documents = await rendered('full-values.yaml')
  for (const kind of ['ServiceMonitor', 'PrometheusRule']) {
    const { [kind]: Model } = await import(`${TOOLS}/models/node_modules/@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/${kind}.js`) as Record<string, new (data: object) => { validate: () => void }>
    const document = documents.find(document => document.kind === kind)
    if (kind === 'PrometheusRule') t.strictSame(document.spec, parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')), 'the very rules that promtool judges')
    t.doesNotThrow(() => new Model!(document).validate(), kind)
    t.throws(() => new Model!({ ...document, spec: { ...document.spec, selector: 1, groups: 1 } }).validate(), `${kind}: a fault is noticed`)
  }
})

t.test('no container may write outside of what it is given, become root, or ask Kubernetes for anything', async t => {
  for (const set of SETS) {
    for (const { kind, spec } of await rendered(set)) {
      if (kind !== 'Deployment' && kind !== 'Job') continue
      const pod = spec.template.spec
      t.match(pod, { automountServiceAccountToken: false, enableServiceLinks: false, securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } } }, `${set}: ${kind}`)
      t.notOk(pod.hostNetwork || pod.hostPID || pod.hostIPC)
      for (const container of [...pod.containers, ...pod.initContainers ?? []]) {
        t.strictSame(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
        t.ok(container.resources.limits.memory && container.resources.requests.cpu)
        t.strictSame(container.env.filter(({ name }: { name: string }) => ['DATABASE_URL', 'KEY_ENCRYPTION_KEY', 'MAIL_URL', 'REDIS_URL'].includes(name)), [], 'secrets are files')
      }
    }
  }
})

t.test('the service starts with what the chart sets, in the Deployment and in the Job', async t => {
  const known = Object.values(variables).flatMap(({ name, secret }) => secret ? [`${name}_FILE`] : [name])
  const key = `k:${randomBytes(32).toString('base64')}`
  const files: Record<string, string> = { 'database-url': 'postgresql://a:b@db/x', db: 'postgresql://a:b@db/x', 'key-encryption-key': key, kek: key, 'mail-url': 'smtp://mail', smtp: 'smtp://mail', redis: 'redis://redis' }
  for (const set of SETS) {
    for (const { kind, spec } of await rendered(set)) {
      if (kind !== 'Deployment' && kind !== 'Job') continue
      const { containers: [container], volumes } = spec.template.spec
      const env: Record<string, string> = Object.fromEntries(container.env.map(({ name, value }: { name: string, value: string }) => [name, value]))
      t.strictSame(Object.keys(env).filter(name => !known.includes(name) && !name.startsWith('OTEL_')), [], `${set}: ${kind} sets no name that is not a setting`)
      const { mountPath } = container.volumeMounts.find(({ name }: { name: string }) => name === 'secrets')
      const mounted: string[] = volumes.find(({ name }: { name: string }) => name === 'secrets').secret.items.map(({ path }: { path: string }) => `${mountPath}/${path}`)
      const config = loadConfig({ NODE_ENV: 'production', HOST: '0.0.0.0', ...env }, path => {
        t.ok(mounted.includes(path), `${path} is mounted`)
        return files[path.slice(mountPath.length + 1)]!
      })
      t.equal(config.databaseUrl, 'postgresql://a:b@db/x')
      if (kind === 'Job') t.strictSame(container.args, ['migrate', 'up'])
    }
  }
})

t.test('a pod has longer to end than it takes: preStop, the drain, and what is then in flight', async t => {
  for (const set of SETS) {
    const { spec: { template: { spec: pod } } } = (await rendered(set)).find(({ kind }) => kind === 'Deployment')
    const preStop = pod.containers[0].lifecycle?.preStop.sleep.seconds ?? 0
    const drain = Number(pod.containers[0].env.find(({ name }: { name: string }) => name === 'DRAIN_SECONDS').value)
    // A node ends within 10 s of SIGTERM, whatever DRAIN_SECONDS is; it is never more than 8.
    t.ok(drain <= 8 && pod.terminationGracePeriodSeconds >= preStop + 10 + 3, `${set}: ${pod.terminationGracePeriodSeconds} s`)
    const { periodSeconds, failureThreshold } = pod.containers[0].readinessProbe
    t.ok(periodSeconds * failureThreshold < preStop + drain || preStop === 0, 'and others notice before')
  }
})

t.test('the schema takes the settings that there are, and refuses what would fail later', async t => {
  t.equal(readFileSync(`${CHART}/values.schema.json`, 'utf8'), await renderChartSchema(), 'run npm run generate')
  const refused: [string, RegExp][] = [
    ['config: { PUBLC_URL: x }', /PUBLC_URL/],
    ['config: { DRAIN_SECONDS: 60 }', /DRAIN_SECONDS.*8/],
    ['config: { PUBLIC_URL: auth.example.com }', /PUBLIC_URL/],
    ['config: { DATABASE_URL: "postgresql://in-the-values" }', /DATABASE_URL/],
    ['extraEnv: [{ name: KEY_ENCRYPTION_KEY, value: in-the-values }]', /extraEnv/],
    ['secrets: { existingSecret: "" }', /existingSecret/],
    ['secrets: { keys: { databaseUrl: ../up } }', /databaseUrl/],
    ['replicas: 0', /replicas/],
    ['replicaCount: 3', /replicaCount/],
    ['podDisruptionBudget: { maxUnavailable: 0 }', /maxUnavailable/],
    ['ingress: { enabled: true }', /host/],
    ['serviceAccount: { create: false }', /name/],
    ['image: { digest: latest }', /digest/],
    ['networkPolicy: { egressPorts: [70000] }', /egressPorts/],
  ]
  const folder = mkdtempSync(join(tmpdir(), 'chart-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  await Promise.all(refused.map(async ([text, says], at) => {
    writeFileSync(`${folder}/${at}.yaml`, text)
    const { ok, stderr } = await template(['-f', values('minimal-values.yaml'), '-f', `${folder}/${at}.yaml`])
    t.notOk(ok, text)
    t.match(stderr, says)
  }))
  const { ok, stderr } = await runTool('helm', ['template', 'auth', CHART])
  t.notOk(ok, 'without values')
  for (const asked of [/existingSecret/, /PUBLIC_URL/]) t.match(stderr, asked)
})

t.test('the chart is of this version', async t => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.match(parse(readFileSync(`${CHART}/Chart.yaml`, 'utf8')), { version, appVersion: version })
})
