import { openRabbitBus } from '../../bus/rabbitmq.ts'
import { rabbitPath, startRabbit } from '../support/services/rabbitmq.ts'
import { testBroker } from './brokers.ts'

testBroker({ name: 'RabbitMQ', path: rabbitPath, start: startRabbit, open: openRabbitBus })
