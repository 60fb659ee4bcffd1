import { useEffect, useId, useRef, useState, type ComponentProps, type FormEvent, type ReactNode } from 'react'
import { sentenceFor } from './problems.ts'

/** A page moves the focus to its heading, so that who hears the page instead of seeing it learns that it is another one. */
export function Page ({ title, lead, wide = false, children }: { title: string, lead?: ReactNode, wide?: boolean, children?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · Lantern`
    heading.current?.focus({ preventScroll: true })
  }, [title])
  return (
    <section className={wide ? 'page wide' : 'page card'}>
      <hgroup>
        <h1 ref={heading} tabIndex={-1}>{title}</h1>
        {Boolean(lead) && <p className='lead'>{lead}</p>}
      </hgroup>
      {children}
    </section>
  )
}

export function Field ({ label, hint, ...input }: { label: string, hint?: string } & ComponentProps<'input'>) {
  const id = useId()
  return (
    <div className='field'>
      <label htmlFor={id}>{label}</label>
      <input id={id} {...input} {...(hint !== undefined && { 'aria-describedby': `${id}-hint` })} />
      {hint !== undefined && <p className='hint' id={`${id}-hint`}>{hint}</p>}
    </div>
  )
}

export function PasswordField ({ fresh = false, ...props }: { label: string, name: string, fresh?: boolean }) {
  const [shown, setShown] = useState(false)
  return (
    <div className='with-toggle'>
      <Field
        {...props} type={shown ? 'text' : 'password'} required maxLength={256} autoComplete={fresh ? 'new-password' : 'current-password'}
        {...(fresh && { hint: 'At least 15 characters. A sentence that only you know is a good one.' })}
      />
      <button type='button' className='toggle' aria-label={`${shown ? 'Hide' : 'Show'} the password`} onClick={() => setShown(!shown)}>{shown ? 'Hide' : 'Show'}</button>
    </div>
  )
}

export type Values = Record<string, string>

/** A form that says what went wrong where a screen reader hears it, and lets nobody send it twice at once. */
export function Form ({ action, submit, children }: { action: (values: Values) => Promise<void>, submit: string, children?: ReactNode }) {
  const { run, busy, error } = useAction()
  const send = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault()
    const values = Object.fromEntries(new FormData(event.currentTarget)) as Values
    run(async () => await action(values))
  }
  return (
    <form onSubmit={send} aria-busy={busy}>
      {children}
      <Alert error={error} />
      {/* Not disabled while it works: that would take the focus away. */}
      <button type='submit' className='primary' aria-disabled={busy}>{busy ? 'One moment …' : submit}</button>
    </form>
  )
}

export function useAction () {
  const [state, setState] = useState<{ busy: boolean, error: unknown }>({ busy: false, error: null })
  const run = async (work: () => Promise<void>): Promise<void> => {
    if (state.busy) return
    setState({ busy: true, error: null })
    try {
      await work()
      setState({ busy: false, error: null })
    } catch (error) { setState({ busy: false, error }) }
  }
  return { run, ...state }
}

/** There before it has something to say: a live region that arrives with its text is often not read out. */
export const Alert = ({ error }: { error: unknown }) => <div role='alert' className='alert'>{error !== null && <p>{sentenceFor(error)}</p>}</div>
export const Status = ({ children }: { children?: ReactNode }) => <div role='status' className='status'>{Boolean(children) && <p>{children}</p>}</div>
