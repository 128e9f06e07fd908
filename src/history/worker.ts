/** The program of a history's worker threads. It keeps nothing between jobs. */
import { answerJobs } from '../document/worker-thread.ts'
import { answerTo, bytesOf } from './answering.ts'
import type { HistoryAnswer, HistoryJob } from './jobs.ts'

answerJobs<HistoryJob, HistoryAnswer>({ run: answerTo, bytesOf })
