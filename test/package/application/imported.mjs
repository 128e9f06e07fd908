import WebSocket from 'ws'
import * as chorus from 'y-chorus'
import * as bus from 'y-chorus/bus'
import * as persistence from 'y-chorus/persistence'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import exercise from './exercise.cjs'

await exercise({ chorus, persistence, bus, Y, WebsocketProvider, WebSocket }, process.argv[2])
