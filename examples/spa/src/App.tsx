import { useEffect, useState, type ComponentType } from 'react'
import { auth, useAuth } from './auth.ts'
import { ConfirmEmailChange, VerifyEmail } from './pages/ConfirmLink.tsx'
import { ForgottenPassword } from './pages/ForgottenPassword.tsx'
import { Home } from './pages/Home.tsx'
import { ResetPassword } from './pages/ResetPassword.tsx'
import { Sessions } from './pages/Sessions.tsx'
import { SignIn } from './pages/SignIn.tsx'
import { SignUp } from './pages/SignUp.tsx'
import { Link, navigate, usePath } from './router.tsx'
import { Page, useAction } from './ui.tsx'

type Who = 'members' | 'guests' | 'everybody'
const pages: Record<string, { who: Who, Content: ComponentType }> = {
  '/': { who: 'members', Content: Home },
  '/sessions': { who: 'members', Content: Sessions },
  '/sign-in': { who: 'guests', Content: SignIn },
  '/sign-up': { who: 'guests', Content: SignUp },
  '/forgotten-password': { who: 'guests', Content: ForgottenPassword },
  // Where the links in mails lead (APP_URL of the service).
  '/verify-email': { who: 'everybody', Content: VerifyEmail },
  '/reset-password': { who: 'everybody', Content: ResetPassword },
  '/confirm-email-change': { who: 'everybody', Content: ConfirmEmailChange },
}

export function App () {
  return (
    <>
      <a className='skip' href='#main'>Skip to the content</a>
      <Header />
      <main id='main' tabIndex={-1}><Current /></main>
      <footer>An example app of <strong>stateless-auth</strong>. No cookie here can be read by a script.</footer>
    </>
  )
}

function Current () {
  const { status } = useAuth()
  const path = usePath()
  const [wanted, setWanted] = useState('/')
  const page = pages[path]
  const redirect = page?.who === 'members' && status === 'signed_out' ? '/sign-in' : page?.who === 'guests' && status === 'signed_in' ? wanted : null
  useEffect(() => {
    if (redirect === null) return
    // Who was sent away to sign in comes back to where they wanted to be.
    if (redirect === '/sign-in') setWanted(path)
    else setWanted('/')
    navigate(redirect, { replace: true })
  }, [redirect, path])

  if (page === undefined) return <Page title='There is nothing here' lead={<Link href='/'>To the start</Link>} />
  if (redirect !== null || (page.who !== 'everybody' && status === 'unknown')) return <Waiting />
  return <page.Content key={path} />
}

function Waiting () {
  const [long, setLong] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLong(true), 6_000)
    return () => clearTimeout(timer)
  }, [])
  return <p className='waiting' role='status'>{long ? 'The service cannot be reached. Trying again …' : 'One moment …'}</p>
}

function Header () {
  const { status } = useAuth()
  const { run, busy } = useAction()
  return (
    <header>
      <Link href='/' className='brand'><img src='/icon.svg' alt='' width='28' height='28' />Lantern</Link>
      {status === 'signed_in' &&
        <nav aria-label='Main'>
          <Link href='/'>Home</Link>
          <Link href='/sessions'>Sessions</Link>
          <button type='button' className='quiet' aria-disabled={busy} onClick={() => { run(async () => await auth.signOut()) }}>Sign out</button>
        </nav>}
      {status === 'signed_out' &&
        <nav aria-label='Main'>
          <Link href='/sign-in'>Sign in</Link>
          <Link href='/sign-up'>Create an account</Link>
        </nav>}
    </header>
  )
}
