/** Events: who hears them, and what a listener that throws does to the others. */
import { expect, test } from 'vitest'
import { Emitter } from '../../src/base/emitter.ts'

interface Events {
  readonly rang: number
  readonly broke: string
}

function make(): { emitter: Emitter<Events>; errors: unknown[] } {
  const errors: unknown[] = []
  return { emitter: new Emitter<Events>((error) => errors.push(error)), errors }
}

test('every listener hears every later event of its name, in the order they were added', () => {
  const { emitter } = make()
  const log: string[] = []
  emitter.emit('rang', 0)
  emitter.on('rang', (n) => log.push(`a${n}`))
  emitter.on('rang', (n) => log.push(`b${n}`))
  emitter.on('broke', (text) => log.push(text))
  emitter.emit('rang', 1)
  expect(log).toEqual(['a1', 'b1'])
})

test('the same function added twice is two listeners, each taken off by its own', () => {
  const { emitter } = make()
  let heard = 0
  const listener = (): void => void heard++
  const off = emitter.on('rang', listener)
  emitter.on('rang', listener)
  off()
  off()
  emitter.emit('rang', 1)
  expect(heard).toBe(1)
  expect(emitter.has('rang')).toBe(true)
  expect(emitter.has('broke')).toBe(false)
})

test('a listener that throws keeps nobody from hearing, and its error is reported', () => {
  const { emitter, errors } = make()
  let heard = 0
  const error = new Error('mine')
  emitter.on('rang', () => {
    throw error
  })
  emitter.on('rang', () => void heard++)
  emitter.emit('rang', 1)
  expect([heard, errors]).toEqual([1, [error]])
})

test('a listener may take itself off, or add another, while it hears', () => {
  const { emitter } = make()
  const log: string[] = []
  const off = emitter.on('rang', () => {
    log.push('once')
    off()
    emitter.on('rang', () => log.push('added'))
  })
  emitter.emit('rang', 1)
  emitter.emit('rang', 2)
  expect(log).toEqual(['once', 'added'])
})
