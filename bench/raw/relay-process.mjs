// A relay of raw/relay.mjs: passes frames on by their first five bytes. With the URL of another relay, what is for number
// 1 goes there.

import { once } from 'node:events'
import { WebSocketServer } from 'ws'
import { ready } from '../processes.mjs'
import { framesIn } from './relay-frame.mjs'
import * as rpc from './rpc.mjs'
import { dial } from './socket.mjs'

const [mode, other] = process.argv.slice(2)
/** By number: a function that sends one frame. Whoever comes gets the first number that is free. */
const leaves = [undefined, undefined]

function join(number, socket) {
  const post = mode === 'batched' ? (frames) => socket.send(Buffer.concat(frames)) : (frame) => socket.send(frame)
  leaves[number] = rpc[mode](post)
  socket.on('message', (data) => framesIn(data, (to, _, frame) => leaves[to](frame)))
}

if (other !== undefined) join(1, await dial(other))
const listener = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
listener.on('connection', (socket) => join(leaves.indexOf(undefined), socket))
await once(listener, 'listening')
ready(`ws://127.0.0.1:${listener.address().port}`)
