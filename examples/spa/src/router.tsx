import { useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent } from 'react'

// A handful of pages needs no library: the path is the state, the browser keeps it.

const listeners = new Set<() => void>()
const changed = (): void => { for (const listener of listeners) listener() }
window.addEventListener('popstate', changed)

export const usePath = (): string => useSyncExternalStore(listener => {
  listeners.add(listener)
  return () => { listeners.delete(listener) }
}, () => location.pathname)

export function navigate (path: string, { replace = false } = {}): void {
  if (path === location.pathname) return
  history[replace ? 'replaceState' : 'pushState'](null, '', path)
  changed()
}

export function Link ({ href, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement> & { href: string }) {
  const path = usePath()
  const follow = (event: MouseEvent) => {
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(href)
  }
  return <a href={href} onClick={follow} aria-current={path === href ? 'page' : undefined} {...rest} />
}

/**
 * The token of a link in a mail. It is taken out of the address bar before anything is shown, so that it gets into no
 * bookmark, history, screenshot or shared address, and lives on in this variable only.
 */
export const linkToken: string | null = new URLSearchParams(location.hash.slice(1)).get('token')
if (location.hash !== '') history.replaceState(null, '', location.pathname)
