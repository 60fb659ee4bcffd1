import { useState } from 'react'
import { auth, useAuth } from '../auth.ts'
import { Link, linkToken } from '../router.tsx'
import { Form, Page } from '../ui.tsx'

export const Incomplete = () => <Page title='This address is incomplete' lead='Please open the link in the message once more.' />

type Texts = { title: string, lead: string, submit: string, done: string }

// A button, because scanners of mail open links too, and some run the scripts of what they open.
function ConfirmLink ({ title, lead, submit, done, confirm }: Texts & { confirm: (token: string) => Promise<unknown> }) {
  const { status } = useAuth()
  const [isDone, setIsDone] = useState(false)
  if (linkToken === null) return <Incomplete />
  if (isDone) return <Page title='Thank you' lead={done}>{status === 'signed_in' ? <Link className='button' href='/'>Go on</Link> : <Link className='button' href='/sign-in'>Sign in</Link>}</Page>
  return (
    <Page title={title} lead={lead}>
      <Form submit={submit} action={async () => { await confirm(linkToken!); setIsDone(true) }} />
    </Page>
  )
}

export const VerifyEmail = () => (
  <ConfirmLink
    title='Confirm your e-mail address' lead='One click, and we know that this address is yours.' submit='Confirm the address' done='Your address is confirmed.'
    confirm={async token => await auth.api.POST('/v1/email-verification/confirm', { body: { token } })}
  />
)

export const ConfirmEmailChange = () => (
  <ConfirmLink
    title='Confirm your new e-mail address' lead='From then on you sign in with the new address. You will be signed out everywhere.' submit='Use the new address' done='Sign in with your new address from now on.'
    confirm={async token => await auth.api.POST('/v1/email-change/confirm', { body: { token } })}
  />
)
