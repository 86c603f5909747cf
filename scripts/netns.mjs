// Runs a command in a network of its own, so that WebRTC finds exactly one host candidate and no test can reach outside.
// Linux only, as root or with user namespaces; elsewhere the command runs as it is, and needs a network interface that is up.
// usage: node scripts/netns.mjs command [argument...]

import { existsSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { run, succeeds } from './run.mjs'

/**
 * One end of a veth pair has the address; the default route leads nowhere. No IPv6 address is generated: it would become valid
 * a second later, and Chromium drops its connections when the network changes. Then the command takes the shell's place.
 */
const inside = [
  'ip link set lo up',
  'ip link add pulsing0 type veth peer name pulsing1',
  'ip link set pulsing0 addrgenmode none',
  'ip link set pulsing1 addrgenmode none',
  'ip addr add 10.77.0.1/24 dev pulsing0',
  'ip link set pulsing0 up',
  'ip link set pulsing1 up',
  'ip route add default via 10.77.0.2',
  'exec "$@"',
].join(' && ')

/** @type {readonly string[] | undefined} */
let wrapper

/** The words to put before a command: empty where there can be no namespace. Installs iproute2 on a Debian that lacks it. */
async function findWrapper() {
  if (process.platform !== 'linux') return []
  const isRoot = process.getuid?.() === 0
  if (isRoot && !succeeds('ip', ['-V']) && existsSync('/etc/debian_version')) {
    await run('apt-get', ['update'])
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'iproute2'], {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
    })
  }
  const candidate = ['unshare', isRoot ? '-n' : '-rn', 'sh', '-c', inside, 'sh']
  if (succeeds(candidate[0], [...candidate.slice(1), 'true'])) return candidate
  console.log('no network namespace to be had here: running in the network of this machine')
  return []
}

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string, env?: Record<string, string> }} [options]
 * @returns {Promise<number>} the exit code
 */
export async function runIsolated(command, args, options = {}) {
  wrapper ??= await findWrapper()
  const [first, ...rest] = [...wrapper, command, ...args]
  return run(first, rest, options)
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [command, ...args] = process.argv.slice(2)
  if (command === undefined) {
    console.error('usage: node scripts/netns.mjs command [argument...]')
    process.exit(2)
  }
  process.exit(await runIsolated(command, args))
}
