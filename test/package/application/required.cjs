const exercise = require('./exercise.cjs')

const chorus = require('y-chorus')
const bus = require('y-chorus/bus')
const persistence = require('y-chorus/persistence')
const { WebsocketProvider } = require('y-websocket')
const WebSocket = require('ws')
const Y = require('yjs')

exercise({ chorus, persistence, bus, Y, WebsocketProvider, WebSocket }, process.argv[2])
