/** A stream that one side sends to the sink of another, as the request of an ask. */
import { expect } from 'playwright/test'
import type { Participant } from './participant.ts'

/** How much is sent, and how much of it may be on its way. */
export interface Pouring {
  readonly items: number
  /** Bytes of one item. */
  readonly bytes: number
  readonly bufferSize: number
}

/** Lets `host` take streams, and read so many items. */
export async function hostSink(host: Participant, allowedReads: number): Promise<void> {
  await host.run(async (lab, allowedReads) => {
    lab.allowReads(allowedReads)
    await lab.system.spawn(new lab.actors.Sink(), 'sink', { public: true })
    await lab.actors.Probe.options({ name: 'probe', public: true }).local(lab.system)
  }, allowedReads)
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

/** Waits until `consumer` has read so many items and `producer` is as far ahead as it may be, and sees that it stays so. */
export async function expectRest(
  producer: Participant,
  consumer: Participant,
  { reads, bufferSize }: { readonly reads: number; readonly bufferSize: number },
): Promise<void> {
  await consumer.run((lab, reads) => lab.until(() => lab.counted('read') === reads), reads)
  await producer.run((lab, writes) => lab.until(() => lab.counted('written') === writes), reads + bufferSize)
  // Whatever else was under way has arrived when messages went to and fro behind it.
  await producer.run(async ({ actors, system }) => {
    const probe = await actors.Probe.resolve(system, 'probe')
    for (let i = 0; i < 20; i++) await probe.echo(i)
  })
  expect(await producer.run((lab) => lab.counted('written'))).toBe(reads + bufferSize)
  expect(await consumer.run((lab) => lab.counted('read'))).toBe(reads)
}
