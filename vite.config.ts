import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import type { Alias, Plugin, UserConfig } from 'vite'
import { defineConfig } from 'vitest/config'
import { chromiumArgs, findChromium } from './scripts/chromium.mjs'

// One file for everything vite does here. `vite build --mode`:
//   node, browser   the two builds of the library (dist/node, dist/browser)
//   demo, e2e       the pages of demo/ and e2e/pages/ (dist/demo, dist/e2e), against the sources
// Without a mode of these it is the configuration of vitest: projects `node`, `alone`, `browser` and `soak`.

type Platform = 'node' | 'browser'

const root = fileURLToPath(new URL('.', import.meta.url))
const entryNames = ['index', 'webrtc', 'patterns', 'node', 'testkit'] as const

/** `src/entry/x.node.ts` where it exists and the platform is Node.js, else `src/entry/x.ts`. */
function entryFile(name: string, platform: Platform): string {
  const forNode = resolve(root, `src/entry/${name}.node.ts`)
  return platform === 'node' && existsSync(forNode) ? forNode : resolve(root, `src/entry/${name}.ts`)
}

/** The browser gets the codec without `new Function`, which a strict Content-Security-Policy forbids. */
function codecAlias(platform: Platform): Alias {
  return { find: /^#cbor-x$/, replacement: platform === 'node' ? 'cbor-x' : 'cbor-x/index-no-eval' }
}

/**
 * The codec for the published browser build, from cbor-x's modules rather than from its one file without eval: 3 kB less,
 * because what is not used stays out. `Function` is made unknown in them, as cbor-x itself does for that file.
 */
function codecWithoutEval(): Plugin {
  const codec = '\0cbor-x-without-eval'
  return {
    name: 'codec-without-eval',
    enforce: 'pre',
    resolveId: (id) => (id === '#cbor-x' ? codec : undefined),
    load: (id) =>
      id === codec ? `export { Encoder } from 'cbor-x/encode'\nexport { Tag } from 'cbor-x/decode'` : undefined,
    transform: (code, id) =>
      /[\\/]cbor-x[\\/]\w+\.js$/.test(id)
        ? { code: code.replaceAll(/\bFunction\b/g, 'BlockedFunction'), map: null }
        : undefined,
  }
}

/** `pulsing` and `pulsing/…` are the sources, so that tests and pages need no build. */
function sourceAliases(platform: Platform): Alias[] {
  return [
    codecAlias(platform),
    ...entryNames.map((name) => ({
      find: name === 'index' ? /^pulsing$/ : new RegExp(`^pulsing/${name}$`),
      replacement: entryFile(name, platform),
    })),
  ]
}

function library(platform: Platform): UserConfig {
  const entries: Record<string, string> =
    platform === 'node'
      ? {
          index: entryFile('index', 'node'),
          webrtc: entryFile('webrtc', 'node'),
          patterns: entryFile('patterns', 'node'),
          node: entryFile('node', 'node'),
          testkit: entryFile('testkit', 'node'),
          cli: resolve(root, 'src/relay/cli.node.ts'),
        }
      : {
          index: entryFile('index', 'browser'),
          webrtc: entryFile('webrtc', 'browser'),
          patterns: entryFile('patterns', 'browser'),
          testkit: entryFile('testkit', 'browser'),
        }
  return {
    root,
    publicDir: false,
    plugins: platform === 'browser' ? [codecWithoutEval()] : [],
    resolve: { alias: platform === 'browser' ? [] : [codecAlias(platform)] },
    build: {
      outDir: `dist/${platform}`,
      emptyOutDir: true,
      target: 'es2022',
      minify: false,
      sourcemap: true,
      reportCompressedSize: false,
      lib: { entry: entries, formats: ['es'] },
      rolldownOptions: {
        external: platform === 'node' ? [/^node:/, /^(cbor-x|isomorphic-ws|ws|node-datachannel)(\/|$)/] : [],
        output: {
          // One character outside ASCII doubles the memory an engine keeps a file's text in. Docs are in the types and maps.
          charset: 'ascii',
          comments: { jsdoc: false },
          entryFileNames: '[name].js',
          chunkFileNames: 'chunks/[name]-[hash].js',
          banner: (chunk) => (chunk.name === 'cli' && chunk.isEntry ? '#!/usr/bin/env node' : ''),
        },
      },
    },
  }
}

/** Pages without inline scripts or data: addresses, so that they run under `default-src 'self'`. */
function pages(folder: string, outDir: string): UserConfig {
  const pageRoot = resolve(root, folder)
  const input = existsSync(pageRoot)
    ? readdirSync(pageRoot)
        .filter((file) => file.endsWith('.html'))
        .map((file) => resolve(pageRoot, file))
    : []
  return {
    root: pageRoot,
    base: './',
    resolve: { alias: sourceAliases('browser') },
    worker: { format: 'es' },
    build: {
      outDir: resolve(root, outDir),
      emptyOutDir: true,
      target: 'es2022',
      sourcemap: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      rolldownOptions: { input },
    },
  }
}

export default defineConfig(({ mode }) => {
  if (mode === 'node' || mode === 'browser') return library(mode)
  if (mode === 'demo') return pages('demo', 'dist/demo')
  if (mode === 'e2e') return pages('e2e/pages', 'dist/e2e')
  return {
    root,
    test: {
      passWithNoTests: false,
      projects: [
        {
          resolve: { alias: sourceAliases('node') },
          test: {
            name: 'node',
            environment: 'node',
            include: ['test/**/*.test.ts'],
            exclude: ['test/**/*.{browser,soak,alone}.test.ts'],
            execArgv: ['--expose-gc'],
          },
        },
        {
          // What measures time in the real world: after all others, one file after the other.
          resolve: { alias: sourceAliases('node') },
          test: {
            name: 'alone',
            environment: 'node',
            include: ['test/**/*.alone.test.ts'],
            execArgv: ['--expose-gc'],
            fileParallelism: false,
            sequence: { groupOrder: 1 },
          },
        },
        {
          resolve: { alias: sourceAliases('node') },
          test: {
            name: 'soak',
            environment: 'node',
            include: ['test/**/*.soak.test.ts'],
            execArgv: ['--expose-gc'],
            fileParallelism: false,
            testTimeout: 600_000,
          },
        },
        {
          resolve: { alias: sourceAliases('browser') },
          optimizeDeps: { include: ['cbor-x/index-no-eval', 'isomorphic-ws', 'fast-check'] },
          test: {
            name: 'browser',
            include: ['test/**/*.browser.test.ts'],
            globalSetup: ['test/conformance/socket-bridge.node.ts'],
            fileParallelism: false,
            browser: {
              enabled: true,
              headless: true,
              screenshotFailures: false,
              instances: [{ browser: 'chromium' }],
              provider: playwright({
                launchOptions: { ...executable(), args: chromiumArgs },
              }),
            },
          },
        },
      ],
    },
  }
})

function executable(): { executablePath?: string } {
  const executablePath = findChromium()
  return executablePath === undefined ? {} : { executablePath }
}
