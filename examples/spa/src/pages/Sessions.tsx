import { useCallback, useEffect, useState } from 'react'
import { auth } from '../auth.ts'
import { Alert, Field, Form, Page, PasswordField, Status, useAction, type Values } from '../ui.tsx'

type Session = { sid: string, started_at: string, address_prefix: string | null, user_agent: string | null, current: boolean }

export function Sessions () {
  const [sessions, setSessions] = useState<Session[] | null>(null)
  const [said, setSaid] = useState('')
  const { run, busy, error } = useAction()

  const load = useCallback(async (): Promise<void> => {
    const { data } = await auth.api.GET('/v1/me/sessions')
    setSessions(data?.items ?? [])
  }, [])
  useEffect(() => { run(load) }, [load])

  const end = async (session: Session): Promise<void> => {
    if (session.current) { await auth.signOut(); return }
    await auth.api.DELETE('/v1/me/sessions/{sid}', { params: { path: { sid: session.sid } } })
    setSaid(`The session of ${deviceOf(session.user_agent)} has ended.`)
    await load()
  }
  return (
    <Page wide title='Your sessions' lead='Wherever you are signed in. What you end here is refused everywhere within two seconds.'>
      <Alert error={error} />
      <Status>{said}</Status>
      {sessions === null && error === null && <p className='waiting'>One moment …</p>}
      <ul className='sessions' aria-label='Sessions'>
        {sessions?.map(session => (
          <li key={session.sid} className='card'>
            <div>
              <strong>{deviceOf(session.user_agent)}</strong>{session.current && <span className='badge'>This browser</span>}
              <p className='hint'>Since {new Date(session.started_at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })}{session.address_prefix !== null && <> · {session.address_prefix}</>}</p>
            </div>
            <button
              type='button' className='secondary' aria-disabled={busy} onClick={() => { run(async () => await end(session)) }}
              aria-label={session.current ? 'Sign out of this browser' : `End the session of ${deviceOf(session.user_agent)}`}
            >{session.current ? 'Sign out' : 'End'}
            </button>
          </li>
        ))}
      </ul>
      {sessions !== null && <button type='button' className='danger' aria-disabled={busy} onClick={() => { run(async () => await auth.signOutEverywhere()) }}>Sign out everywhere</button>}
      <ChangeEmail />
    </Page>
  )
}

function ChangeEmail () {
  const [mailedTo, setMailedTo] = useState('')
  const ask = async ({ email = '', password = '' }: Values): Promise<void> => {
    await auth.api.POST('/v1/me/email', { body: { new_email: email, password } })
    setMailedTo(email)
  }
  return (
    <details className='card'>
      <summary><h2>Change your e-mail address</h2></summary>
      <Form action={ask} submit='Send a link to the new address'>
        <Field label='New e-mail address' name='email' type='email' autoComplete='email' required maxLength={254} />
        <PasswordField label='Your password' name='password' />
      </Form>
      <Status>{mailedTo !== '' && <>We sent a link to {mailedTo}.</>}</Status>
    </details>
  )
}

function deviceOf (userAgent: string | null): string {
  if (userAgent === null) return 'an unknown device'
  const browser = /Edg\//.test(userAgent) ? 'Edge' : /Firefox\//.test(userAgent) ? 'Firefox' : /Chrome\//.test(userAgent) ? 'Chrome' : /Safari\//.test(userAgent) ? 'Safari' : userAgent.split(/[/ ]/, 1)[0] || 'an app'
  const system = /iPhone|iPad/.exec(userAgent) ? 'iOS' : /Android|Windows|Mac OS X|Linux/.exec(userAgent)?.[0].replace('Mac OS X', 'macOS')
  return system === undefined ? browser : `${browser} on ${system}`
}
