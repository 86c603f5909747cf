// The answering leaf of raw/relay.mjs. It is number 0, being the first at its relay; who asks is number 1.

import { ready } from '../processes.mjs'
import { decode } from './codec.mjs'
import { framesIn, packed } from './relay-frame.mjs'
import * as rpc from './rpc.mjs'
import { dial } from './socket.mjs'

const [url, mode] = process.argv.slice(2)
const socket = await dial(url)
const received = rpc.server(rpc[mode](packed(socket, 1, mode)), () => undefined)
socket.on('message', (data) => framesIn(data, (_, body) => received(decode(body))))
ready('')
