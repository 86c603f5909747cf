/** The word count: a text is picked, a job runs, one at a time. Between the picker, the choice of actor and the view. */
import type { ActorSystem } from 'pulsing'
import { announce } from './announcer.ts'
import { CountJob } from './count-job.ts'
import type { Resident } from './directory.ts'
import { element } from './element.ts'
import { JobView } from './job-view.ts'
import { inWords } from './problem.ts'
import { SourcePicker } from './source-picker.ts'
import { TargetSelect } from './target-select.ts'
import { formatCount } from './units.ts'

export class WordCountPanel {
  readonly #system: ActorSystem
  readonly #picker = new SourcePicker((file) => void this.#count(file))
  readonly #target = new TargetSelect()
  readonly #view = new JobView()
  readonly #slow = element('slow', HTMLInputElement)
  #job: CountJob | undefined

  constructor(system: ActorSystem) {
    this.#system = system
    element('job-form', HTMLFormElement).addEventListener('submit', (event) => event.preventDefault())
    this.#slow.addEventListener('change', () => {
      if (this.#job) this.#job.readsSlowly = this.#slow.checked
    })
  }

  drawTargets(residents: readonly Resident[]): void {
    this.#target.draw(residents)
  }

  async #count(file: File): Promise<void> {
    const target = this.#target.selected
    if (!target) {
      announce('There is nobody to count yet.')
      return
    }
    let state = 'running'
    const job = new CountJob(file, () => {
      if (job.state === state) this.#view.drawSoon()
      else {
        state = job.state
        this.#view.draw()
        this.#announce(job)
      }
    })
    this.#job = job
    job.readsSlowly = this.#slow.checked
    const opener = document.activeElement
    this.#setBusy(true)
    this.#view.show(job, file.name, target.label)
    announce(`Counting ${file.name} in ${target.label}.`)
    await job.run(this.#system.resolve(target.actorName, { node: target.nodeId }))
    this.#setBusy(false)
    if (this.#view.hasFocus && opener instanceof HTMLElement) opener.focus({ preventScroll: true })
  }

  #setBusy(isBusy: boolean): void {
    this.#picker.isEnabled = !isBusy
    this.#target.isEnabled = !isBusy
  }

  #announce(job: CountJob): void {
    const { words, lines } = job.counts
    if (job.state === 'done') announce(`Done: ${formatCount(words, 'word')} in ${formatCount(lines, 'line')}.`)
    else if (job.state === 'failed') announce(`The count stopped. ${inWords(job.error)}`)
    else announce({ running: 'Resumed.', paused: 'Paused: the sender waits.', cancelled: 'Cancelled.' }[job.state])
  }
}
