/** Draws the members. Rows are kept, so that a reader or a focus in the list is not thrown out by a change elsewhere. */
import { nameOf, type Resident } from './directory.ts'
import { element, icon, make } from './element.ts'

/** Characters of a node's id that are enough to tell a few apart. */
const SHORT_ID_LENGTH = 6

export class MemberList {
  readonly #list = element('member-list', HTMLUListElement)
  readonly #count = element('member-count', HTMLSpanElement)
  readonly #rows = new Map<string, { readonly row: HTMLLIElement; readonly drawn: string }>()

  draw(residents: readonly Resident[]): void {
    this.#count.textContent = String(residents.length)
    const present = new Set(residents.map(({ member }) => member.nodeId))
    for (const [nodeId, { row }] of this.#rows) {
      if (present.has(nodeId)) continue
      row.remove()
      this.#rows.delete(nodeId)
    }
    residents.forEach((resident, index) => {
      const row = this.#row(resident)
      if (this.#list.children[index] !== row) this.#list.insertBefore(row, this.#list.children[index] ?? null)
    })
  }

  #row(resident: Resident): HTMLLIElement {
    const { nodeId } = resident.member
    const known = this.#rows.get(nodeId)
    const drawn = JSON.stringify(resident)
    if (known?.drawn === drawn) return known.row
    const row = known?.row ?? make('li', '')
    const { card, isOurs } = resident
    row.className = `member ${card?.role ?? 'unknown'}${isOurs ? ' ours' : ''}`
    row.dataset['node'] = nodeId
    row.replaceChildren(icon(card?.role ?? 'unknown'), text(resident))
    this.#rows.set(nodeId, { row, drawn })
    return row
  }
}

function text(resident: Resident): HTMLElement {
  const { member } = resident
  const name = make('p', 'member-name', nameOf(resident))
  if (member.isSelf) name.append(' ', make('span', 'tag', 'this tab'))
  if (member.status !== 'online') name.append(' ', make('span', 'tag away', member.status))
  const facts = make('p', 'member-facts', `${member.kind} `, make('code', '', member.nodeId.slice(0, SHORT_ID_LENGTH)))
  if (member.addr !== undefined) facts.append(' at ', make('code', '', member.addr))
  return make('div', 'member-text', name, facts)
}
