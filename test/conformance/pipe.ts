/** Joins two connections into one, so that both outer ends of a route can be driven from one place. */
import type { Connection } from '../../src/link/connection.ts'

export function pipe(a: Connection, b: Connection): void {
  forward(a, b)
  forward(b, a)
}

function forward(from: Connection, to: Connection): void {
  from.open({
    received(batch, values) {
      if (values === undefined) to.send(batch)
      else to.send(batch, { values, transfer: values.filter(isTransferable) })
    },
    // The tests look at the outermost ends, which have windows of their own.
    drained() {},
    closed(error) {
      if (error) to.abort(error.message)
      else to.close()
    },
  })
}

function isTransferable(value: unknown): value is object {
  return value instanceof MessagePort || value instanceof ArrayBuffer
}
