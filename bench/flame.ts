// A profile of V8 as a flame graph: what was on the stack, how often; wide is expensive, up is deeper.
type Node = { id: number, callFrame: { functionName: string, url: string, lineNumber: number }, children?: number[] }
export type Profile = { nodes: Node[], samples: number[], timeDeltas: number[], startTime: number }
type Frame = { name: string, us: number, below: Map<string, Frame> }

const [WIDTH, LINE] = [1_200, 15]
/** Narrower than this there is nothing to see. */
const NARROWEST = 1.5

const nameOf = ({ functionName, url, lineNumber }: Node['callFrame']): string => {
  const file = /(?:node_modules|src)\/.*$/.exec(url)?.[0].replace('node_modules/', '') ?? url
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`
}
const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** @param from seconds of the profile that are left out: the start */
export function flameGraph (profile: Profile, { title, from }: { title: string, from: number }): string {
  const spent = new Map<number, number>()
  let at = 0
  profile.samples.forEach((id, n) => {
    at += profile.timeDeltas[n]!
    if (at >= from * 1e6) spent.set(id, (spent.get(id) ?? 0) + profile.timeDeltas[n]!)
  })
  const nodes = new Map(profile.nodes.map(node => [node.id, node]))
  const merge = (into: Map<string, Frame>, id: number): number => {
    const { callFrame, children = [] } = nodes.get(id)!
    if (callFrame.functionName === '(idle)') return 0
    const name = nameOf(callFrame)
    const frame = into.get(name) ?? { name, us: 0, below: new Map<string, Frame>() }
    into.set(name, frame)
    const us = (spent.get(id) ?? 0) + children.reduce((sum, child) => sum + merge(frame.below, child), 0)
    frame.us += us
    return us
  }
  const all: Frame = { name: 'all', us: 0, below: new Map() }
  for (const child of profile.nodes[0]!.children ?? []) all.us += merge(all.below, child)

  const boxes: string[] = []
  let deepest = 0
  const draw = (frame: Frame, x: number, depth: number) => {
    const width = WIDTH * frame.us / all.us
    if (width < NARROWEST) return
    deepest = Math.max(deepest, depth)
    const hue = 20 + [...frame.name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 35
    const text = width > 40 ? `<text x="${(x + 2).toFixed(1)}" y="${-LINE * depth - 4}">${escaped(frame.name.slice(0, Math.floor(width / 6)))}</text>` : ''
    boxes.push(`<g><title>${escaped(frame.name)}: ${(100 * frame.us / all.us).toFixed(1)} %</title><rect x="${x.toFixed(1)}" y="${-LINE * (depth + 1)}" width="${width.toFixed(1)}" height="${LINE - 1}" fill="hsl(${hue} 85% 65%)"/>${text}</g>`)
    let next = x
    for (const child of [...frame.below.values()].sort((a, b) => b.us - a.us)) {
      draw(child, next, depth + 1)
      next += WIDTH * child.us / all.us
    }
  }
  draw(all, 0, 0)
  const height = LINE * (deepest + 3)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 ${-height} ${WIDTH} ${height}" font-family="monospace" font-size="10"><text x="2" y="${-height + 12}">${escaped(title)}</text>\n${boxes.join('\n')}\n</svg>\n`
}
