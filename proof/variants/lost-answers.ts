import { Client } from '../harness/client.ts'
import { droppingProxy } from '../harness/dropping-proxy.ts'
import { History } from '../harness/history.ts'
import { forAll } from '../harness/judge.ts'
import { logout, refresh, signIn, signUp } from '../harness/users.ts'
import { underLoad, type Variant } from '../harness/variant.ts'

export const lostAnswers: Variant = {
  what: 'A proxy drops the answer after the service has given it: to 1,000 refreshes, 1,000 sign-ups and 1,000 logouts. Every one recovers by being sent again.',
  run: async setting => {
    const each = setting.short ? 60 : 1_000
    return await underLoad(setting, {
      perSecond: 20,
      chaos: async ({ cluster, world, notes, broken }) => {
        const { url, dropped } = await droppingProxy(setting.endings, cluster.url)
        // Users of their own: whoever else used their sessions would spend what another has just lost.
        const apart = { ...world, history: new History(each) }
        const lossy = { ...apart, client: new Client(url, world.tally) }
        await forAll(Array.from({ length: each / 10 }), async () => await signUp(apart))
        const { users, sessions } = apart.history
        await forAll(Array.from({ length: each }, (_, at) => users[at % users.length]!), async user => await signIn(apart, user, user.email < '8' ? 'app' : 'page'))
        await forAll(sessions, async session => await refresh(lossy, session, session.tabs[0]!))
        await forAll(Array.from({ length: each }), async () => await signUp(lossy))
        await forAll(sessions, async session => await logout(lossy, session))
        world.history.users.push(...users)
        world.history.sessions.push(...sessions)
        for (const [path, status] of [['refresh', 200], ['register', 201], ['logout', 204]] as const) {
          const lost = dropped.get(`POST /v1/auth/${path} ${status}`) ?? 0
          notes[`answers lost: ${path}`] = lost
          if (lost !== each) broken.push(`${lost} answers of ${path} were lost, not ${each}`)
        }
      },
    })
  },
}
