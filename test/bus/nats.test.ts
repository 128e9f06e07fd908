import { openNatsBus } from '../../bus/nats.ts'
import { natsPath, startNats } from '../support/services/nats.ts'
import { testBroker } from './brokers.ts'

testBroker({ name: 'NATS', path: natsPath, start: startNats, open: openNatsBus })
