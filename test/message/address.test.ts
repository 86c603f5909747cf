/** Addresses: every name and actor has one, every address means one thing, and each that is none is refused for its own reason. */

import fc from 'fast-check'
import { ConfigError } from 'pulsing'
import { describe, expect, test } from 'vitest'
import { newId } from '../../src/base/ids.ts'
import { actorUri, isActorUri, nameProblem, nameUri, parseActorUri } from '../../src/message/address.ts'

const id = newId()
const names = fc
  .string({ unit: fc.constantFrom(...'aZ0_é漢-.:/@ '), minLength: 1, maxLength: 40 })
  .filter((name) => nameProblem(name) === undefined)

function problemOf(uri: string): string {
  try {
    parseActorUri(uri)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  return 'none'
}

describe('a URI', () => {
  test('of any name, on any node or one, means that name', () => {
    fc.assert(
      fc.property(names, fc.constantFrom(undefined, id, 'localhost'), (name, node) => {
        expect(parseActorUri(nameUri(name, node))).toEqual(node === undefined ? { name } : { name, node })
      }),
    )
  })

  test('of an actor means that actor', () => {
    const actorId = newId()
    expect(parseActorUri(actorUri(id, actorId))).toEqual({ node: id, actorId })
    expect(parseActorUri(`actor://localhost/${actorId}`)).toEqual({ node: 'localhost', actorId })
    expect(parseActorUri(`actor://0/${actorId}`)).toEqual({ node: 'localhost', actorId })
    expect(parseActorUri(actorUri(id, 'system/core'))).toEqual({ node: id, actorId: 'system/core' })
  })

  test('of a name is written as people expect, with escapes only where two things could be meant', () => {
    expect(nameUri('ns/api')).toBe('actor:///ns/api')
    expect(nameUri('ns/api', id)).toBe(`actor:///ns/api@${id}`)
    expect(nameUri('me@home:80 now/%')).toBe('actor:///me%40home:80%20now/%25')
    expect(parseActorUri('actor:///ns/api@0')).toEqual({ name: 'ns/api', node: 'localhost' })
    expect(parseActorUri('actor:///a name')).toEqual({ name: 'a name' })
    expect(parseActorUri(`actor:///system/core@${id}`)).toEqual({ name: 'system/core', node: id })
  })

  test('that is none is refused, each for a reason of its own', () => {
    const bad = {
      'http:///x': 'expected a URI that begins with actor://, got "http:///x"',
      'actor://x': 'expected a path behind the node of the URI, got "actor://x"',
      'actor:///': 'expected a name in the URI, got "actor:///"',
      [`actor://${id}/`]: `expected an actor id in the URI, got "actor://${id}/"`,
      'actor://short/x': 'expected a node id or "localhost" behind actor://, got "actor://short/x"',
      'actor://localhost/api':
        'expected an actor id behind the node (a name is written actor:///<name>@<node>), got "actor://localhost/api"',
      'actor:///a@localhost@b':
        'expected at most one "@" in the URI (in a name it is written %40), got "actor:///a@localhost@b"',
      'actor:///me@home':
        'expected a node id or "localhost" behind the "@" of the URI (in a name it is written %40), got "actor:///me@home"',
      'actor:///a//b':
        'expected an actor name with something before and behind every "/", got "a//b", in "actor:///a//b"',
      'actor:///a%4': 'expected escapes like %40 behind every "%" of the URI, got "actor:///a%4"',
      'actor:///a?b':
        'expected an actor name of letters, digits, "_", "-", ".", ":", "/", "@" and spaces, got "a?b", in "actor:///a?b"',
    }
    for (const [uri, problem] of Object.entries(bad)) expect(problemOf(uri)).toBe(problem)
    expect(problemOf(`actor:///${'a'.repeat(201)}`)).toContain('1 to 200 characters, got 201')
    expect(problemOf('actor:///a/')).toContain('behind every "/"')
    expect(problemOf('actor:////a')).toContain('expected an actor name of letters')
    expect(problemOf('actor:///@localhost')).toContain('1 to 200 characters, got 0')
  })

  test('never makes the reader throw anything else, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string(), (rest) => {
        const problem = problemOf(`actor://${rest}`)
        expect(problem === 'none' || problem.startsWith('expected ')).toBe(true)
      }),
    )
  })
})

test('names may contain much, but no empty segments, and not begin as URIs do', () => {
  for (const name of ['a@b', 'a:b', `a@${id}`, 'actor:/x', 'x actor:/y', 'actor'])
    expect([name, nameProblem(name), isActorUri(name)]).toEqual([name, undefined, false])
  expect(nameProblem('actor://x/y')).toBe(
    'expected an actor name that does not begin with actor://, as URIs do, got "actor://x/y"',
  )
  for (const name of ['a//b', 'a/', 'a/b//'])
    expect(nameProblem(name)).toBe(`expected an actor name with something before and behind every "/", got "${name}"`)
  expect(nameProblem('system/x')).toContain('reserved')
  expect(nameProblem('')).toContain('1 to 200')
  expect(nameProblem(7)).toBe('expected an actor name as string, got number')
})
