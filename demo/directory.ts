/** The members of the cluster with what their cards say, kept up to date. Between the system's events and the page. */
import type { ActorSystem, Member } from 'pulsing'
import { askForCard, type Card } from './card.ts'

export interface Resident {
  readonly member: Member
  /** Undefined until it has answered. */
  readonly card: Card | undefined
  /** Whether it is this page, or the worker of this page. */
  readonly isOurs: boolean
}

export interface DirectoryListener {
  /** Something is different: draw it anew. */
  changed(residents: readonly Resident[]): void
  /** Somebody came, and is known by name. Not called for those who were there first. */
  joined(resident: Resident): void
  left(resident: Resident): void
}

export class Directory {
  readonly #system: ActorSystem
  readonly #tab: string
  readonly #listener: DirectoryListener
  readonly #residents = new Map<string, Resident>()

  constructor(system: ActorSystem, tab: string, listener: DirectoryListener) {
    this.#system = system
    this.#tab = tab
    this.#listener = listener
    system.on('memberJoined', ({ member }) => this.#add(member, true))
    system.on('memberUpdated', ({ member }) => this.#update(member))
    system.on('memberLeft', ({ member }) => this.#remove(member))
    for (const member of system.members()) this.#add(member, false)
  }

  /** Everybody: the relay, other nodes, then tab by tab, each followed by its worker. */
  get residents(): readonly Resident[] {
    return [...this.#residents.values()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
  }

  #add(member: Member, isNew: boolean): void {
    this.#residents.set(member.nodeId, { member, card: undefined, isOurs: member.isSelf })
    this.#changed()
    askForCard(this.#system, member.nodeId).then(
      (card) => {
        const resident = this.#residents.get(member.nodeId)
        if (!resident || !card) return
        const introduced = { ...resident, card, isOurs: card.tab === this.#tab }
        this.#residents.set(member.nodeId, introduced)
        this.#changed()
        if (isNew && !introduced.isOurs) this.#listener.joined(introduced)
      },
      // It left, or is no node of this demo: it stays without a card.
      () => undefined,
    )
  }

  #update(member: Member): void {
    const resident = this.#residents.get(member.nodeId)
    if (!resident) return
    this.#residents.set(member.nodeId, { ...resident, member })
    this.#changed()
  }

  #remove({ nodeId }: Member): void {
    const resident = this.#residents.get(nodeId)
    if (!this.#residents.delete(nodeId) || !resident) return
    this.#changed()
    if (resident.card) this.#listener.left(resident)
  }

  #changed(): void {
    this.#listener.changed(this.residents)
  }
}

/** What people call it. */
export function nameOf({ member, card }: Resident): string {
  switch (card?.role) {
    case 'relay':
      return 'Relay'
    case 'node':
      return 'Node peer'
    case 'tab':
      return `Tab ${card.tab ?? '?'}`
    case 'worker':
      return `Worker in tab ${card.tab ?? '?'}`
    default:
      return member.kind === 'relay' ? 'Relay' : 'Member'
  }
}

function rank({ member, card, isOurs }: Resident): string {
  const role = card?.role ?? (member.kind === 'relay' ? 'relay' : 'unknown')
  const group = ['relay', 'node', 'unknown'].indexOf(role)
  const ours = isOurs ? 0 : 1
  return `${group < 0 ? 3 : group} ${ours} ${card?.tab ?? ''} ${role} ${member.nodeId}`
}
