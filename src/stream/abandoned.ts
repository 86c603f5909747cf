/** Streams whose last holder was forgotten instead of read to the end or cancelled: their producers are told to stop. */
import { ignoreRejection } from '../base/deferred.ts'
import type { StreamSource } from './stream-source.ts'

type Source = StreamSource | Promise<StreamSource>

const holders = /* @__PURE__ */ new FinalizationRegistry<Source>(discardSource)

/** Tells the producer that nobody reads. */
export function discardSource(source: Source): void {
  if (source instanceof Promise) ignoreRejection(source.then((opened) => opened.cancel()))
  else source.cancel()
}

/** Cancels `source` when the engine collects `holder`, unless it was {@link released} before. */
export function heldBy(holder: object, source: Source): void {
  holders.register(holder, source, holder)
}

/** `holder` has no claim on its source any more. */
export function released(holder: object): void {
  holders.unregister(holder)
}
