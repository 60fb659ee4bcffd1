export const MAX_LINE_BYTES = 65_536

/** One line of a file, counted from 1. Null where it was too long to be held. */
export type Line = { number: number, bytes: Buffer | null }

/** The lines of a stream, those of one chunk at a time; never holds more than a chunk and one line, however long a line is. */
export async function * readLines (input: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let number = 0
  let held: Buffer[] = []
  let length = 0
  const take = (piece: Buffer): void => {
    length += piece.length
    if (length > MAX_LINE_BYTES) held = []
    else held.push(piece)
  }
  const line = (): Line => {
    const bytes = length > MAX_LINE_BYTES ? null : held.length === 1 ? held[0]! : Buffer.concat(held)
    held = []
    length = 0
    return { number: ++number, bytes }
  }
  for await (const chunk of input) {
    const lines: Line[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, end))
      lines.push(line())
      start = end + 1
    }
    if (start < chunk.length) take(chunk.subarray(start))
    if (lines.length > 0) yield lines
  }
  if (length > 0) yield [line()]
}
