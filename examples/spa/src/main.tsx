import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { auth } from './auth.ts'
import './router.tsx'
import './styles.css'

// Whoever was signed in when they left is so again: the cookie brings a new access token. Where there is none, we are signed out.
// While the service cannot be reached nobody knows, and we go on asking.
const restore = async (): Promise<void> => { await auth.restore().catch(() => setTimeout(restore, 2_000)) }
restore()

createRoot(document.getElementById('root')!).render(<StrictMode><App /></StrictMode>)
