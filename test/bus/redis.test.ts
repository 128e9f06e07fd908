import { openRedisBus } from '../../bus/redis.ts'
import { redisPath, startRedis } from '../support/services/redis.ts'
import { testBroker } from './brokers.ts'

testBroker({ name: 'Redis', path: redisPath, start: startRedis, open: openRedisBus })
