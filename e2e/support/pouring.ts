/** A stream that one side sends to the sink of another, as the request of an ask. */
import type { Participant } from './participant.ts'

/** How much is sent, and how much of it may be on its way. */
export interface Pouring {
  readonly items: number
  /** Bytes of one item. */
  readonly bytes: number
  readonly bufferSize: number
}

/** Begins; the lab's `asked` and `poured` say how it ended. */
export async function pour(producer: Participant, pouring: Pouring): Promise<void> {
  await producer.run(async (lab, { bufferSize, ...chunks }) => {
    const sink = await lab.system.resolve('sink')
    const [message, writer] = lab.pulsing.StreamMessage.create('chunks', bufferSize)
    lab.begin('asked', async () => (await sink.ask(message, { timeout: Infinity })).toObject())
    lab.begin('poured', () => lab.pour(writer, chunks))
  }, pouring)
}
