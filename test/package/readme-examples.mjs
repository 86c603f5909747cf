// Finds the runnable examples of a Markdown file: fenced blocks whose info string says so (see CONTRIBUTING.md).

/**
 * @typedef {{ kind: 'node' | 'server' | 'browser', language: string, name?: string, with?: string, line: number, code: string, output?: string }} Example
 */

/**
 * @param {string} markdown
 * @returns {Example[]} in their order; `output` is the `text output` block that follows, if it is the next block
 */
export function findExamples(markdown) {
  const examples = []
  let last
  for (const { info, code, line } of fencedBlocks(markdown)) {
    const [language, ...words] = info.split(/\s+/)
    if (language === 'text' && words[0] === 'output') {
      if (last === undefined) throw new Error(`line ${line}: an output block without an example before it`)
      last.output = code.trim()
      last = undefined
      continue
    }
    last = undefined
    const attributes = Object.fromEntries(words.map((word) => word.split('=', 2)))
    if (attributes.example === undefined) continue
    const languages = { node: ['js', 'ts'], server: ['js', 'ts'], browser: ['html'] }[attributes.example]
    if (!languages?.includes(language))
      throw new Error(
        `line ${line}: ${info}: an example is one of js|ts example=node, js|ts example=server, html example=browser`,
      )
    last = { kind: attributes.example, language, name: attributes.name, with: attributes.with, line, code }
    examples.push(last)
  }
  return examples
}

function fencedBlocks(markdown) {
  const blocks = []
  let open
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    const fence = text.match(/^\s*(`{3,}|~{3,})(.*)$/)
    if (open === undefined) {
      if (fence) open = { mark: fence[1], info: fence[2].trim(), line: index + 1, lines: [] }
    } else if (fence?.[1].startsWith(open.mark) && fence[2].trim() === '') {
      blocks.push({ info: open.info, line: open.line, code: `${open.lines.join('\n')}\n` })
      open = undefined
    } else open.lines.push(text)
  }
  if (open !== undefined) throw new Error(`line ${open.line}: this block is never closed`)
  return blocks
}
