/** The page: joins the cluster, and connects its panels with what happens there. */
import { announce } from './announcer.ts'
import { CounterPanel } from './counter-panel.ts'
import { Directory, nameOf } from './directory.ts'
import { element } from './element.ts'
import { MemberList } from './member-list.ts'
import { inWords } from './problem.ts'
import { isConnected, openSession } from './session.ts'
import { WordCountPanel } from './word-count-panel.ts'

const CONNECTION_WORDS = { connecting: 'Connecting…', connected: 'Connected', reconnecting: 'Reconnecting…' } as const

// The node of a page in the browser's cache has left the cluster: one that comes back begins anew.
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) location.reload()
})

try {
  const { system, tab } = await openSession()
  const members = new MemberList()
  const words = new WordCountPanel(system)
  new Directory(system, tab, {
    changed: (residents) => {
      members.draw(residents)
      words.drawTargets(residents)
      showConnection(isConnected(system) ? 'connected' : 'reconnecting')
    },
    joined: (resident) => announce(`${nameOf(resident)} joined.`),
    left: (resident) => announce(`${nameOf(resident)} left.`),
  })
  document.title = `Tab ${tab} — pulsing`
  await new CounterPanel(system).run()
} catch (error) {
  showConnection('connecting')
  element('connection-text', HTMLSpanElement).textContent = `Cannot connect. ${inWords(error)}`
}

function showConnection(state: keyof typeof CONNECTION_WORDS): void {
  const pill = element('connection', HTMLParagraphElement)
  if (pill.dataset['state'] === state) return
  pill.dataset['state'] = state
  element('connection-text', HTMLSpanElement).textContent = CONNECTION_WORDS[state]
}
