/** What a node is told of its page. */
import { expect, test } from 'vitest'
import { followPage, type PageNode } from '../../src/cluster/page-life.ts'

class Source extends EventTarget {
  visibilityState = 'visible'

  fire(type: string, fields: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), fields))
  }
}

function page(): { told: string[]; window: Source; document: Source; unfollow: () => void } {
  const [window, document] = [new Source(), new Source()]
  const told: string[] = []
  const node: PageNode = {
    setHidden: (isHidden) => told.push(isHidden ? 'hidden' : 'shown'),
    suspend: () => told.push('suspend'),
    resume: () => told.push('resume'),
    leave: () => told.push('leave'),
  }
  return { told, window, document, unfollow: followPage(node, { window, document } as never) }
}

test('a page that is hidden and shown is said to be', () => {
  const { told, document } = page()
  document.visibilityState = 'hidden'
  document.fire('visibilitychange')
  document.visibilityState = 'visible'
  document.fire('visibilitychange')
  expect(told).toEqual(['shown', 'hidden', 'shown'])
})

test('a page put aside for "back" suspends, and resumes when it is taken out', () => {
  const { told, window, document } = page()
  window.fire('pagehide', { persisted: true })
  window.fire('pageshow', { persisted: true })
  document.fire('resume')
  window.fire('online')
  expect(told).toEqual(['shown', 'suspend', 'resume', 'resume', 'resume'])
})

test('a page that ends says goodbye; one that is only shown for the first time says nothing', () => {
  const { told, window } = page()
  window.fire('pageshow', { persisted: false })
  window.fire('pagehide', { persisted: false })
  expect(told).toEqual(['shown', 'leave'])
})

test('a node that is over hears no more', () => {
  const { told, window, document, unfollow } = page()
  unfollow()
  document.fire('visibilitychange')
  window.fire('pagehide', { persisted: false })
  expect(told).toEqual(['shown'])
})

test('where there is no page, nothing is followed', () => {
  const told: string[] = []
  const node = { setHidden: () => told.push('hidden') } as unknown as PageNode
  followPage(node, {})()
  expect(told).toEqual([])
})
