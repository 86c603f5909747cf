// The types of actors.mjs.

import type { Actor, ActorClass, ActorRef } from 'pulsing'
import type { Lab } from './lab.mjs'

export interface Echo {
  readonly nodeId: string
  readonly value: unknown
}

export interface Probe {
  echo(value: unknown): Echo
  askOther(ref: ActorRef, value: unknown): Promise<Echo>
  note(value: unknown): void
  fail(message: string): never
  answerAfter<T>(name: string, value: T): Promise<T>
}

type ProbeConstructor = new () => Probe

export interface Actors {
  readonly Probe: ProbeConstructor & ActorClass<ProbeConstructor>
  readonly Silent: new () => Actor
  readonly Mirror: new () => Actor
  readonly Sink: new () => Actor
  readonly Taster: new () => Actor
  readonly Source: new () => Actor
}

export function actors(lab: Lab): Actors
