type Source = { addEventListener?: (type: string, listener: () => void) => void, removeEventListener?: (type: string, listener: () => void) => void }
const page = (): { document?: Source & { visibilityState: string } } & Source => globalThis as never

/** A page that nobody looks at renews nothing by itself: it does when it is used or looked at. */
export const isSeen = (): boolean => page().document?.visibilityState !== 'hidden'

/** Timers of sleeping tabs come late or never: these moments come instead. @returns what ends it */
export function onWaking (look: () => void): () => void {
  const sources = [[page().document, 'visibilitychange'], [page(), 'online'], [page(), 'pageshow']] as const
  for (const [source, type] of sources) source?.addEventListener?.(type, look)
  return () => { for (const [source, type] of sources) source?.removeEventListener?.(type, look) }
}
