// Says when the next request is due, to some tens of microseconds; a timer of the event loop knows whole milliseconds only. A thread that waits.
import { parentPort, workerData } from 'node:worker_threads'

const { perSecond, seconds } = workerData as { perSecond: number, seconds: number }
const never = new Int32Array(new SharedArrayBuffer(4))
const startedAt = performance.timeOrigin + performance.now()
for (let n = 0; n < perSecond * seconds; n++) {
  const due = startedAt + n * 1000 / perSecond
  const wait = due - performance.timeOrigin - performance.now()
  if (wait > 0) Atomics.wait(never, 0, 0, wait)
  parentPort!.postMessage(due)
}
parentPort!.close()
