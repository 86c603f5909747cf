/** Which actor counts: one option for every member whose card names such an actor. */
import { nameOf, type Resident } from './directory.ts'
import { element } from './element.ts'

export interface Target {
  readonly nodeId: string
  readonly actorName: string
  readonly label: string
}

export class TargetSelect {
  readonly #select = element('target', HTMLSelectElement)
  #targets: readonly Target[] = []
  #isEnabled = true
  #hasChosen = false

  constructor() {
    this.#select.addEventListener('change', () => {
      this.#hasChosen = true
    })
  }

  get selected(): Target | undefined {
    return this.#targets.find(({ nodeId }) => nodeId === this.#select.value)
  }

  set isEnabled(isEnabled: boolean) {
    this.#isEnabled = isEnabled
    this.#select.disabled = !isEnabled || this.#targets.length === 0
  }

  /** Keeps what somebody chose while it is there; else it is the first. Our own worker comes last. */
  draw(residents: readonly Resident[]): void {
    const targets = residents
      .flatMap((resident) => targetOf(resident) ?? [])
      .sort((a, b) => Number(a.isOurs) - Number(b.isOurs))
    if (JSON.stringify(targets) === JSON.stringify(this.#targets)) return
    const chosen = this.#select.value
    this.#targets = targets
    this.#select.replaceChildren(...targets.map(({ label, nodeId }) => new Option(label, nodeId)))
    this.#hasChosen &&= targets.some(({ nodeId }) => nodeId === chosen)
    if (this.#hasChosen) this.#select.value = chosen
    this.isEnabled = this.#isEnabled
  }
}

function targetOf(resident: Resident): (Target & { readonly isOurs: boolean }) | undefined {
  const { member, card, isOurs } = resident
  if (card?.wordCount === undefined) return undefined
  const label = isOurs ? 'Worker in this tab' : nameOf(resident)
  return { nodeId: member.nodeId, actorName: card.wordCount, label, isOurs }
}
