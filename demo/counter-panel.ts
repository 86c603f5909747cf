/** The shared counter: calls the actor in the Node peer, and shows the stream of its values. */
import { type ActorProxy, type ActorSystem, isPulsingError } from 'pulsing'
import { Counter } from './actors/counter.mjs'
import { element } from './element.ts'
import { inWords } from './problem.ts'
import { formatNumber } from './units.ts'

/** Pause before the actor is looked for again, in milliseconds. */
const RETRY_MS = 500

export class CounterPanel {
  readonly #system: ActorSystem
  readonly #value = element('counter-value', HTMLOutputElement)
  readonly #problem = element('counter-problem', HTMLParagraphElement)
  readonly #buttons: readonly HTMLButtonElement[]
  #counter: ActorProxy<Counter> | undefined

  constructor(system: ActorSystem) {
    this.#system = system
    this.#buttons = [this.#button('counter-minus', -1), this.#button('counter-plus', 1)]
  }

  /** Follows the counter for as long as the system lives, over every loss of the connection. */
  async run(): Promise<void> {
    while (await this.#follow()) {
      this.#use(undefined)
      this.#say('The counter is out of reach: looking for it.')
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  /** Shows the values until there are no more of them; whether it is worth looking for the counter again. */
  async #follow(): Promise<boolean> {
    let counter: ActorProxy<Counter>
    try {
      counter = await Counter.resolve(this.#system, 'counter')
    } catch (error) {
      // Only a system that is shut down has stopped looking.
      return !isPulsingError(error, 'ActorStoppedError')
    }
    this.#use(counter)
    try {
      for await (const value of counter.watch()) {
        this.#value.textContent = formatNumber(value)
        this.#say('')
      }
    } catch {
      // The counter, or the way to it, is gone.
    }
    return true
  }

  #use(counter: ActorProxy<Counter> | undefined): void {
    this.#counter = counter
    for (const button of this.#buttons) button.disabled = counter === undefined
  }

  #button(id: string, step: number): HTMLButtonElement {
    const button = element(id, HTMLButtonElement)
    button.addEventListener('click', () => {
      this.#counter?.add(step).then(
        () => this.#say(''),
        (error: unknown) => this.#say(`That did not count. ${inWords(error)}`),
      )
    })
    return button
  }

  #say(problem: string): void {
    this.#problem.textContent = problem
    this.#problem.hidden = problem === ''
  }
}
