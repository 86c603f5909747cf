// The layers of src/, as rules. A layer may import itself and what its line names; everything else is refused, types included.
// scripts/layers.mjs runs this, and proves on test/arch/fixtures that every rule still finds what it forbids.

/** The files of src/link that state what a transport is, and nothing else. */
const linkContracts = '^src/link/(connection|inbox)[.]ts$'

/** The layers a running node is made of. */
const runtime = [
  'base',
  'stream',
  'message',
  'actor',
  'proxy',
  'wire',
  'link',
  'transport',
  'remote',
  'cluster',
  'observe',
]

const layers = {
  base: [],
  stream: ['base'],
  message: ['base', 'stream'],
  wire: ['base', 'message'],
  actor: ['base', 'message', 'stream'],
  proxy: ['base', 'message', 'stream', 'actor'],
  link: ['base', 'message', 'wire'],
  transport: ['base', linkContracts],
  remote: ['base', 'message', 'stream', 'actor', 'wire', 'link'],
  cluster: ['base', 'message', 'actor', 'remote', 'wire', 'link'],
  observe: ['base'],
  patterns: ['base', 'message', 'stream', 'actor', 'proxy'],
  testkit: [...runtime, 'root'],
  relay: [...runtime, 'root'],
  root: [...runtime, 'relay'],
  entry: [...runtime, 'patterns', 'testkit', 'relay', 'root'],
}

/** Third-party packages, each with the one file that may import it. */
const wrappers = {
  'cbor-x': 'src/base/cbor.ts',
  'isomorphic-ws': 'src/transport/websocket/socket.ts',
  ws: 'src/transport/websocket/listener.node.ts',
  'node-datachannel': 'src/transport/webrtc/peer-connection.node.ts',
}

const exactly = (file) => `^${file.replaceAll('.', '[.]')}$`
const anyFile = (files) => files.map(exactly)

/** The composition root, src/system*.ts, src/network*.ts and src/config.ts, is a layer of files, not a folder. */
const pathOf = (layer) => {
  if (layer.startsWith('^')) return layer
  return layer === 'root' ? '^src/((system|network)[^/]*|config)[.]ts$' : `^src/${layer}/`
}

const layerRules = Object.entries(layers).map(([layer, allowed]) => ({
  name: `layer-${layer}`,
  comment: `${layer} may import: ${allowed.map((name) => (name === linkContracts ? 'the contracts of link' : name)).join(', ') || 'nothing'}`,
  severity: 'error',
  from: { path: pathOf(layer) },
  to: {
    path: '^src/',
    pathNot: [pathOf(layer), ...allowed.map(pathOf)],
    // What the observers look at, they know by its types.
    ...(layer === 'observe' ? { dependencyTypesNot: ['type-only'] } : {}),
  },
}))

module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'layer-unknown',
      comment: 'every file of src/ is in a layer, or is src/system*.ts, src/network*.ts or src/config.ts',
      severity: 'error',
      from: { path: '^src/', pathNot: Object.keys(layers).map(pathOf) },
      to: {},
    },
    {
      name: 'transports-are-blind',
      comment: 'a transport never imports another transport',
      severity: 'error',
      from: { path: '^src/transport/([^/]+)/' },
      to: { path: '^src/transport/', pathNot: '^src/transport/$1/' },
    },
    {
      name: 'entry-is-outermost',
      comment: 'nothing in src/ imports the public surface',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/entry/' },
      to: { path: ['^src/entry/', '^pulsing(/|$)', '^dist/'] },
    },
    {
      name: 'no-cycles',
      comment: 'no cycles, but for types inside one folder: an actor knows its context, and a context its actor',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-barrels',
      comment: 'index files are for src/entry only',
      severity: 'error',
      from: {},
      to: { path: '^src/.*(^|/)index[.]', pathNot: '^src/entry/' },
    },
    {
      name: 'suffix-is-a-licence',
      comment: 'platform files are imported by files of that platform, and by the entries',
      severity: 'error',
      from: { path: '^src/', pathNot: ['[.]node[.]ts$', '^src/entry/node[.]ts$'] },
      to: { path: '^src/.*[.]node[.]ts$' },
    },
    {
      name: 'suffix-is-a-licence-browser',
      comment: 'platform files are imported by files of that platform, and by the entries',
      severity: 'error',
      from: { path: '^src/', pathNot: ['[.]browser[.]ts$', '^src/entry/'] },
      to: { path: '^src/.*[.]browser[.]ts$' },
    },
    {
      name: 'node-builtins',
      comment: 'node:* only in *.node.ts',
      severity: 'error',
      from: { path: '^src/', pathNot: '[.]node[.]ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'third-party',
      comment: 'third-party packages only in the file that wraps each',
      severity: 'error',
      from: { path: '^src/', pathNot: anyFile(Object.values(wrappers)) },
      to: { pathNot: '^src/', dependencyTypesNot: ['core'], couldNotResolve: false },
    },
    ...Object.entries(wrappers).map(([name, file]) => ({
      name: `third-party-${name}`,
      comment: `${file} imports no third-party package but ${name}`,
      severity: 'error',
      from: { path: exactly(file) },
      to: { pathNot: ['^src/', `(^|/|#)${name}(/|$)`, `node_modules/@types/${name}/`], dependencyTypesNot: ['core'] },
    })),
    {
      name: 'pages-use-the-package',
      comment: 'the demo and the pages of the end-to-end tests import pulsing, as anybody would, and their own files',
      severity: 'error',
      from: { path: '^(demo|e2e/pages)/' },
      to: {
        pathNot: ['^demo/', '^e2e/pages/', '^pulsing(/|$)', '^dist/(browser|node)/'],
        dependencyTypesNot: ['core'],
      },
    },
    {
      name: 'e2e-uses-the-package',
      comment: 'the end-to-end tests drive the package from outside',
      severity: 'error',
      from: { path: '^e2e/' },
      to: { path: '^src/' },
    },
    {
      name: 'unresolvable',
      comment: 'every import leads somewhere',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^dist/'] },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.d.ts', '.mjs', '.js'],
    },
  },
}
