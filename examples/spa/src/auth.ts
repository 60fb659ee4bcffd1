import { useSyncExternalStore } from 'react'
import { createAuth, type SignedOut } from 'stateless-auth-client'

const setting = (name: string): string => document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? ''

export const serviceUrl = setting('service-url')

/** One for the whole page. The access token stays inside it, the refresh token in a cookie that no script can read. */
export const auth = createAuth({ baseUrl: setting('auth-url') })

export const useAuth = () => useSyncExternalStore(auth.subscribe, () => auth.state)

/** How the last session ended; null while there is one, or has been none. */
export let farewell: SignedOut['reason'] | null = null
auth.onSignedOut(({ reason }) => { farewell = reason })
auth.subscribe(() => { if (auth.state.status === 'signed_in') farewell = null })
