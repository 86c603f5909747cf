/** Where the text comes from: dropped on the page, chosen, or made up. */
import { element } from './element.ts'
import { sampleText } from './sample-text.ts'

export class SourcePicker {
  readonly #zone = element('drop-zone', HTMLDivElement)
  readonly #file = element('file', HTMLInputElement)
  readonly #choose = element('choose', HTMLButtonElement)
  readonly #sample = element('sample', HTMLButtonElement)
  readonly #size = element('sample-size', HTMLSelectElement)
  #isEnabled = true

  constructor(picked: (file: File) => void) {
    this.#choose.addEventListener('click', () => this.#file.click())
    this.#file.addEventListener('change', () => {
      const [file] = this.#file.files ?? []
      // Choosing the same file again is a change, too.
      if (file) picked(file)
      this.#file.value = ''
    })
    this.#sample.addEventListener('click', () => picked(sampleText(Number(this.#size.value))))
    this.#acceptDrops(picked)
  }

  set isEnabled(isEnabled: boolean) {
    this.#isEnabled = isEnabled
    this.#choose.disabled = !isEnabled
    this.#sample.disabled = !isEnabled
    this.#size.disabled = !isEnabled
  }

  /** The whole page takes files: one that misses the zone would make the browser leave the page. */
  #acceptDrops(picked: (file: File) => void): void {
    addEventListener('dragover', (event) => {
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      event.dataTransfer.dropEffect = this.#isEnabled ? 'copy' : 'none'
      this.#zone.classList.toggle('over', this.#isEnabled)
    })
    addEventListener('dragleave', (event) => {
      if (event.relatedTarget === null) this.#zone.classList.remove('over')
    })
    addEventListener('drop', (event) => {
      this.#zone.classList.remove('over')
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      const [file] = event.dataTransfer.files
      if (file && this.#isEnabled) picked(file)
    })
  }
}
