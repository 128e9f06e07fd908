/** The simulated disk of a run, and what goes wrong with it when. */
import type { OrderedBackend } from '../../persistence/ordered.ts'
import {
  createSimulatedDisk,
  type SimulatedDisk,
  type SimulatedOutcome,
  type SimulatedWrite
} from '../../persistence/simulated.ts'
import type { Chance } from './chance.ts'
import type { DiskPlan } from './plan.ts'
import type { Trace } from './trace.ts'
import type { Scope } from './virtual-time.ts'

/** Which write the fault waits for: any, or one that removes something, as a checkpoint does. */
export type Fault = { readonly outcome: SimulatedOutcome; readonly target: 'any' | 'removal' }

type Parts = {
  readonly time: Scope
  readonly chance: Chance
  readonly plan: DiskPlan
  readonly trace: Trace
  /** The process that uses it is to end, between two steps. */
  readonly onCrash: () => void
  /** A batch is on the disk, or may be. */
  readonly onWritten: (write: SimulatedWrite) => void
}

export class FaultyDisk {
  readonly disk: SimulatedDisk
  readonly #parts: Parts
  #armed: Fault | null = null
  #mode: 'faulty' | 'healthy' | 'inspected' = 'faulty'

  constructor(parts: Parts) {
    this.#parts = parts
    const { chance } = parts
    this.disk = createSimulatedDisk({
      onWrite: write => this.#outcomeOf(write),
      pause: () => this.#pause(),
      survivors: unsynced => chance.below(unsynced + 1)
    })
  }

  startProcess(): OrderedBackend {
    return this.disk.startProcess()
  }

  /** The next write of this kind comes to harm. */
  arm(fault: Fault): void {
    this.#armed = fault
  }

  fill(): void {
    this.disk.setCapacity(this.disk.bytes() + this.#parts.chance.below(2_000))
  }

  heal(): void {
    this.disk.setCapacity(Number.POSITIVE_INFINITY)
    this.#armed = null
  }

  /** No faults from now on. */
  calm(): void {
    this.heal()
    this.#mode = 'healthy'
  }

  /** Runs `look` while the disk takes no time and does no harm. Nobody else may use it meanwhile. */
  async inspect(look: (backend: OrderedBackend) => Promise<void>): Promise<void> {
    const mode = this.#mode
    this.#mode = 'inspected'
    await look(this.disk.startProcess())
    this.#mode = mode
  }

  #outcomeOf(write: SimulatedWrite): SimulatedOutcome {
    const { step, operations, durability } = write
    const { trace, onCrash, onWritten } = this.#parts
    if (this.#mode === 'inspected') return 'written'
    const outcome = this.#draw(operations.some(each => each.type === 'del'))
    trace.note('write', `${step} ${operations.length} ${durability} ${outcome}`)
    if (outcome !== 'failed' && outcome !== 'crash-before') onWritten(write)
    if (outcome.startsWith('crash')) onCrash()
    return outcome
  }

  #draw(isRemoval: boolean): SimulatedOutcome {
    if (this.#mode === 'healthy') return 'written'
    const { chance, plan } = this.#parts
    if (this.#armed !== null && (isRemoval || this.#armed.target === 'any')) {
      const { outcome } = this.#armed
      this.#armed = null
      return outcome
    }
    if (!chance.hits(plan.failures)) return 'written'
    return chance.pick(['failed', 'failed-but-written'])
  }

  #pause(): Promise<void> {
    const { time, chance, plan } = this.#parts
    if (this.#mode === 'inspected' || chance.hits(0.3)) return Promise.resolve()
    return time.delay(chance.gapMs(plan.delayMs))
  }
}
