/** Asks again and again until it is so; fails when it is not in time. */
export async function until (condition: () => Promise<boolean> | boolean, withinMs = 2_000): Promise<void> {
  for (const end = performance.now() + withinMs; performance.now() < end;) {
    if (await condition()) return
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  throw new Error(`it did not happen within ${withinMs} ms`)
}
