import { hash } from 'node:crypto'
import { texts, type Language, type PageName } from './texts.ts'

/** Which operation the button of a page calls; seen from the page, because PUBLIC_URL may have a path. */
const actions: Record<PageName, string> = {
  'verify-email': 'v1/email-verification/confirm',
  'reset-password': 'v1/password-reset/confirm',
  'confirm-email-change': 'v1/email-change/confirm',
}
export const pageNames = Object.keys(actions) as PageName[]

const style = `:root{color-scheme:light dark}
body{font:1rem/1.5 system-ui,sans-serif;margin:0;background:Canvas;color:CanvasText}
main{max-width:26rem;margin:0 auto;padding:2rem 1.25rem}
h1{font-size:1.5rem;line-height:1.25}
label{display:block;margin-top:1rem;font-weight:600}
input[type=password],input[type=text]{box-sizing:border-box;width:100%;font:inherit;padding:.6rem;margin-top:.25rem;border:1px solid GrayText;border-radius:.4rem}
.check{display:flex;align-items:center;gap:.5rem;font-weight:400;min-height:2.75rem;margin:0}
.check input{width:1.25rem;height:1.25rem}
button{font:inherit;font-weight:600;width:100%;min-height:2.75rem;margin-top:1rem;border:0;border-radius:.4rem;background:#1d4ed8;color:#fff;cursor:pointer}
button:disabled{opacity:.6;cursor:default}
:focus-visible{outline:3px solid #f59e0b;outline-offset:2px}
#status:not(:empty){margin-top:1.5rem;padding:.75rem 1rem;border-left:.3rem solid #1d4ed8}
#status.fault:not(:empty){border-color:#dc2626}
`

/**
 * The token stays in the fragment, which no server, proxy or Referer sees, until the button sends it. The policy of the request is not the page's, which would make
 * some browsers send no origin.
 */
const script = `(() => {
  const form = document.querySelector('form')
  const status = document.getElementById('status')
  const password = document.getElementById('password')
  const show = document.getElementById('show')
  const button = document.querySelector('button')
  const tokenOf = () => new URLSearchParams(location.hash.slice(1)).get('token')
  const say = (text, fault) => { status.className = fault ? 'fault' : ''; status.textContent = text }
  const words = name => document.querySelector('[data-say="' + name + '"]')?.textContent
  if (!tokenOf()) { say(words('missing'), true); return }
  form.hidden = false
  show?.addEventListener('change', () => { password.type = show.checked ? 'text' : 'password' })
  form.addEventListener('submit', async event => {
    event.preventDefault()
    button.disabled = true
    say('')
    try {
      const answer = await fetch(form.dataset.action, {
        method: 'POST', headers: { 'content-type': 'application/json' }, referrerPolicy: 'same-origin', credentials: 'same-origin',
        body: JSON.stringify({ token: tokenOf(), ...(password && { new_password: password.value }) })
      })
      if (answer.ok) {
        form.hidden = true
        history.replaceState(null, '', location.pathname)
        say(words('done'))
        return
      }
      const problem = await answer.json()
      if (problem.code === 'weak_password') {
        say(problem.errors.map(({ code }) => words('weak_' + code) ?? words('weak')).join(' '), true)
        password.focus()
      } else if (problem.code === 'token_used') say(words('used'))
      else if (problem.code === 'invalid_action_token') say(words('invalid'), true)
      else say(words('later'), true)
    } catch { say(words('unreachable'), true) }
    button.disabled = false
  })
})()
`

const sourceOf = (code: string): string => `'sha256-${hash('sha256', code, 'base64')}'`

/** Its own script and style by their hashes, its own service to call, and nothing else. */
export const PAGE_POLICY = `default-src 'none'; script-src ${sourceOf(script)}; style-src ${sourceOf(style)}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

/** One page, the same for everybody. No text here comes from a request. */
export function renderPage (name: PageName, language: Language, { passwordMinLength }: { passwordMinLength: number }): string {
  const { shared: { password, show, hint, script: needsScript, ...says }, pages: { [name]: { title, what, button, done } } } = texts[language]
  const fields = name === 'reset-password'
    ? `<label for="password">${password}</label>
<input id="password" type="password" autocomplete="new-password" required maxlength="256" aria-describedby="hint">
<p id="hint">${hint.replace('#', String(passwordMinLength))}</p>
<label class="check"><input id="show" type="checkbox">${show}</label>
`
    : ''
  return `<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${title}</h1>
<p>${what}</p>
<noscript><p>${needsScript}</p></noscript>
<form hidden data-action="${actions[name]}">
${fields}<button type="submit">${button}</button>
</form>
<p id="status" role="status"></p>
<div hidden>
${Object.entries({ ...says, done }).map(([key, text]) => `<p data-say="${key}">${text}</p>`).join('\n')}
</div>
</main>
<script>${script}</script>
</body>
</html>
`
}

/** RFC 9110 §12.5.4, so far as two languages need it: the first one that the browser prefers and we have. */
export function languageOf (header: string | undefined): Language {
  const ranges = (header ?? '').slice(0, 512).split(',').map(range => {
    const [tag = '', quality = ''] = range.trim().toLowerCase().split(/\s*;\s*q=/)
    return { language: tag.split('-', 1)[0]!, weight: quality === '' ? 1 : Number(quality) || 0 }
  })
  const wanted = ranges.filter(({ language, weight }) => weight > 0 && Object.hasOwn(texts, language)).sort((a, b) => b.weight - a.weight)[0]
  return (wanted?.language ?? 'en') as Language
}
