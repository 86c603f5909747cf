// The relay of raw/relay.mjs: passes frames on by their first five bytes.

import { once } from 'node:events'
import { WebSocketServer } from 'ws'
import { ready } from '../processes.mjs'
import { framesIn } from './relay-frame.mjs'
import * as rpc from './rpc.mjs'

const [mode] = process.argv.slice(2)
/** By number, in order of arrival: a function that sends one frame. */
const leaves = []

const listener = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
listener.on('connection', (socket) => {
  const post = mode === 'batched' ? (frames) => socket.send(Buffer.concat(frames)) : (frame) => socket.send(frame)
  leaves.push(rpc[mode](post))
  socket.on('message', (data) => framesIn(data, (to, _, frame) => leaves[to](frame)))
})
await once(listener, 'listening')
ready(`ws://127.0.0.1:${listener.address().port}`)
