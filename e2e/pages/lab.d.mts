// The types of lab.mjs.

import type * as pulsing from 'pulsing'
import type { Actors } from './actors.mjs'
import type { DigestResult } from './chunks.mjs'

/** A system event as plain data. */
export interface Seen {
  readonly name: 'memberJoined' | 'memberLeft' | 'linkOpened' | 'linkClosed' | 'warning' | 'deadLetter' | 'actorFailed'
  readonly nodeId?: string
  readonly transport?: string
  readonly code?: string
  readonly message?: string
  readonly reason?: string
}

/** An error as plain data. */
export interface Failure {
  readonly name: string
  readonly code?: string
  readonly message: string
  readonly outcome?: 'not-sent' | 'unknown'
  readonly isPulsing: boolean
}

export interface Outcome<T = unknown> {
  readonly value?: T
  readonly error?: Failure
}

export interface LabOptions {
  readonly createWorker?: (isPatient: boolean) => Worker
}

export interface StartOptions {
  readonly seeds?: readonly string[]
  /** With it, the node has WebRTC, and connects directly after so many messages. */
  readonly upgradeAfterMessages?: number | undefined
  /** Whether it waits for nodes that are away as long as any node does, and not for a second. Default false. */
  readonly isPatient?: boolean
}

export interface ChunkPlan {
  readonly items: number
  readonly bytes: number
}

export interface Memory {
  readonly rss: number
  readonly held: number
}

export class Lab {
  constructor(options?: LabOptions)
  readonly pulsing: typeof pulsing
  readonly actors: Actors
  readonly events: Seen[]
  readonly notes: unknown[]
  /** What a later step of the story needs. */
  readonly kept: {
    drained?: Outcome<DigestResult>
    writer?: pulsing.StreamWriter
    reader?: pulsing.StreamReader<Uint8Array>
    ref?: pulsing.ActorRef
    controller?: AbortController
  }
  readonly allowedReads: number
  readonly system: pulsing.ActorSystem
  start(options?: StartOptions): Promise<string>
  until(check: () => boolean): Promise<void>
  untilMembers(count: number): Promise<void>
  count(name: string, by?: number): void
  counted(name: string): number
  note(value: unknown): void
  outcomeOf<T>(work: () => T | Promise<T>): Promise<Outcome<T>>
  begin(name: string, work: () => unknown): void
  ended(name: string): Promise<Outcome>
  startWorker(): Promise<string>
  terminateWorker(): void
  allowReads(count: number): void
  drain(reader: AsyncIterable<unknown>): Promise<DigestResult>
  pour(writer: pulsing.StreamWriter, chunks: ChunkPlan): Promise<DigestResult>
  memory(): Promise<Memory>
}

declare global {
  /** The lab of this page or worker. */
  var lab: Lab
}
