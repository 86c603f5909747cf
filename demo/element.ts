/** The elements of index.html, by id and of the expected kind; and new ones. */

/** @throws when the page and its scripts do not belong together */
export function element<T extends HTMLElement>(id: string, Kind: abstract new () => T): T {
  const found = document.getElementById(id)
  if (!(found instanceof Kind)) throw new Error(`expected #${id} to be a ${Kind.name}, got ${String(found)}`)
  return found
}

/** A new element with a class and text or children in it. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...content: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag)
  if (className) made.className = className
  made.append(...content)
  return made
}

const SVG = 'http://www.w3.org/2000/svg'

/** One of the icons drawn at the end of index.html. Decoration only: the text beside it says the same. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS(SVG, 'use')
  use.setAttribute('href', `#icon-${name}`)
  svg.append(use)
  return svg
}
