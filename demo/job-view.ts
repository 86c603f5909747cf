/** Shows one job as it goes. Counts come by the hundred a second: they are drawn once per frame. */
import { type CountJob, type JobState, MAX_ON_THE_WAY } from './count-job.ts'
import { element, make } from './element.ts'
import { inWords } from './problem.ts'
import { formatBytes, formatCount, formatNumber, formatSpeed } from './units.ts'

const STATES: Readonly<Record<JobState, string>> = {
  running: 'Counting…',
  paused: 'Paused',
  done: 'Done',
  cancelled: 'Cancelled',
  failed: 'Failed',
}

export class JobView {
  readonly #panel = element('job', HTMLElement)
  readonly #view = element('job-view', HTMLDivElement)
  readonly #sentBar = element('sent-bar', HTMLProgressElement)
  readonly #countedBar = element('counted-bar', HTMLProgressElement)
  readonly #problem = element('job-problem', HTMLParagraphElement)
  readonly #note = element('job-note', HTMLParagraphElement)
  readonly #pause = element('pause', HTMLButtonElement)
  readonly #actions = element('job-actions', HTMLDivElement)
  readonly #cells = Array.from({ length: MAX_ON_THE_WAY }, () => make('span', 'cell'))
  #job: CountJob | undefined
  #frame: number | undefined
  #speed = ''

  constructor() {
    element('cells', HTMLSpanElement).append(...this.#cells)
    this.#pause.addEventListener('click', () => {
      if (this.#job?.state === 'paused') this.#job.resume()
      else this.#job?.pause()
    })
    element('cancel', HTMLButtonElement).addEventListener('click', () => this.#job?.cancel())
  }

  show(job: CountJob, title: string, target: string): void {
    this.#job = job
    this.#speed = '–'
    this.#write('job-name', title)
    this.#write('job-target', `${formatBytes(job.total)} · ${target}`)
    element('hint', HTMLDivElement).hidden = true
    this.#view.hidden = false
    this.draw()
    this.#pause.focus()
  }

  /** Whether the keyboard is at one of the buttons, or was there until the end of the job took it away. */
  get hasFocus(): boolean {
    return document.activeElement === document.body || this.#view.contains(document.activeElement)
  }

  /** Before the next frame. A hidden tab has no frames, and needs none. */
  drawSoon(): void {
    this.#frame ??= requestAnimationFrame(() => this.draw())
  }

  draw(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame)
    this.#frame = undefined
    const job = this.#job
    if (!job) return
    const { counts, sent, state, total } = job
    // What was on its way when the job ended early is not any more.
    const onTheWay = job.isOver ? 0 : job.onTheWay
    // Read by tests, and by whoever wants the bare numbers.
    Object.assign(this.#panel.dataset, { state, sent, counted: counts.bytes, words: counts.words, lines: counts.lines })
    this.#write('job-state', STATES[state])
    this.#write('words', formatNumber(counts.words))
    this.#write('lines', formatNumber(counts.lines))
    this.#write('bytes', formatNumber(counts.bytes))
    this.#write('speed', this.#speedOf(job))
    this.#write('sent', formatBytes(sent))
    this.#write('counted', formatBytes(counts.bytes))
    this.#write('on-the-way', formatCount(onTheWay, 'chunk'))
    this.#sentBar.value = share(sent, total, job.isOver)
    this.#countedBar.value = share(counts.bytes, total, job.isOver)
    for (const [index, cell] of this.#cells.entries()) cell.classList.toggle('full', index < onTheWay)
    this.#problem.hidden = state !== 'failed'
    if (state === 'failed') this.#problem.textContent = inWords(job.error)
    this.#note.hidden = state !== 'paused'
    this.#pause.textContent = state === 'paused' ? 'Resume' : 'Pause'
    this.#actions.hidden = job.isOver
  }

  /** The average while it runs, kept as it was afterwards. */
  #speedOf({ counts, startedAt, state, pausedMs }: CountJob): string {
    const seconds = (performance.now() - startedAt - pausedMs) / 1000
    if (counts.bytes > 0 && state === 'running') this.#speed = formatSpeed(counts.bytes / seconds)
    return this.#speed
  }

  #write(id: string, text: string): void {
    const place = element(id, HTMLElement)
    if (place.textContent !== text) place.textContent = text
  }
}

/** An empty text is whole from the start. */
function share(part: number, total: number, isOver: boolean): number {
  return total === 0 ? Number(isOver) : part / total
}
