import { useState } from 'react'
import { auth, serviceUrl, useAuth } from '../auth.ts'
import { Alert, Page, Status, useAction } from '../ui.tsx'

type Greeting = { greeting: string, subject: string, session: string, signed_in_at: number, token_expires_at: number, feed_age_seconds: number }

const time = (seconds: number): string => new Date(seconds * 1000).toLocaleTimeString()

export function Home () {
  const { user } = useAuth()
  const { run, busy, error } = useAction()
  const [greeting, setGreeting] = useState<Greeting | null>(null)
  const [refused, setRefused] = useState(false)
  const call = async (): Promise<void> => {
    // Like fetch, with the access token; refreshed ahead of its end, and once more when the other side refuses it.
    const answer = await auth.fetch(`${serviceUrl}/greeting`)
    setRefused(answer.status === 401)
    setGreeting(answer.ok ? await answer.json() as Greeting : null)
  }
  return (
    <Page wide title={`Welcome${user?.name ? `, ${user.name}` : ''}`} lead={user && <>Signed in as <strong>{user.email}</strong></>}>
      <div className='card'>
        <h2>A second service</h2>
        <p>It runs at <code>{new URL(serviceUrl).host}</code>, another origin, and verifies your access token by itself: no session store, no question asked. What ended, it knows within two seconds.</p>
        <button type='button' className='primary' aria-disabled={busy} onClick={() => { run(call) }}>{busy ? 'One moment …' : 'Call the service'}</button>
        <Alert error={error} />
        <Status>{refused ? 'The service refused.' : greeting?.greeting}</Status>
        {greeting !== null &&
          <dl>
            <div><dt>Your user id</dt><dd><code>{greeting.subject}</code></dd></div>
            <div><dt>Session</dt><dd><code>{greeting.session}</code></dd></div>
            <div><dt>Signed in at</dt><dd>{time(greeting.signed_in_at)}</dd></div>
            <div><dt>Token ends at</dt><dd>{time(greeting.token_expires_at)}</dd></div>
            <div><dt>Its copy of the endings</dt><dd>{greeting.feed_age_seconds} s old</dd></div>
          </dl>}
      </div>
    </Page>
  )
}
