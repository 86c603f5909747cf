/** The worker of a tab: a node of its own, linked to the page by a message port, with an actor that counts words. */
import { createActorSystem } from 'pulsing'
import { WordCount } from './actors/word-count.mjs'
import { introduce } from './card.ts'

// The page names its worker after its tab.
const tab = self.name
const name = `word-count/${tab}`
const system = await createActorSystem()
await system.spawn(new WordCount(), name, { public: true })
await introduce(system, { role: 'worker', tab, wordCount: name })
await system.connect(self)
