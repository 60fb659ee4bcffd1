type Source = { addEventListener?: (type: string, listener: () => void) => void, removeEventListener?: (type: string, listener: () => void) => void }
const { document } = globalThis as { document?: Document }

/** A page that nobody looks at renews nothing by itself: it does when it is used or looked at. */
export const isSeen = (): boolean => document?.visibilityState !== 'hidden'

/** Timers of sleeping tabs come late or never: these moments come instead. @returns what ends it */
export function onWaking (look: () => void): () => void {
  const page = globalThis as Source
  const sources: [Source | undefined, string][] = [[document as Source | undefined, 'visibilitychange'], [page, 'online'], [page, 'pageshow']]
  for (const [source, type] of sources) source?.addEventListener?.(type, look)
  return () => { for (const [source, type] of sources) source?.removeEventListener?.(type, look) }
}
