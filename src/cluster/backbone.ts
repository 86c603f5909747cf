/**
 * What a relay is among relays, and a leaf is not: linked to all others, which it asks for signs of life. Apart from the
 * rest of a node, which does without it in nearly every page.
 */
import { Mesh, type RelayDialer } from './mesh.ts'
import { Sweep, type SweepOptions } from './sweep.ts'

export class Backbone {
  readonly mesh: Mesh
  readonly sweep: Sweep

  constructor(self: string, options: SweepOptions & { readonly dialer: RelayDialer }) {
    const { dialer, clock, random } = options
    this.mesh = new Mesh(self, dialer, clock, random)
    this.sweep = new Sweep(options)
  }

  close(): void {
    this.mesh.close()
    this.sweep.close()
  }
}
