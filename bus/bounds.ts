/** Every bound of the buses, its unit, and what happens there. */

const KiB = 1024
const MiB = 1024 * KiB

export const bounds = {
  /** Bytes of one message. Longer ones are dropped: their sender announces where they stand in the store instead. */
  messageBytesMax: 64 * KiB,
  /** Bytes of a topic in UTF-8. Longer ones are BUS_ARGUMENT. */
  topicBytesMax: 8 * KiB,
  /** Messages that were taken and are not known to have left. Above: dropped. */
  queuedMessagesMax: 8_192,
  /** Their bytes. Above: dropped. */
  queuedBytesMax: 8 * MiB,
  /** How long a broker has to accept a connection. */
  connectMs: 2_000,
  /** How long it has until the connection is of use. Above: it is given up, and another one tried. */
  dialMs: 5_000,
  /** Between two attempts at least; up to twice as much, by chance, so that nodes do not come all at once. */
  redialMs: 250,
  /** Between two questions whether the broker is still there. */
  pingMs: 2_000,
  /** Questions without an answer after which a connection is given up: four to six seconds. */
  pingsUnansweredMax: 2,
  /** How long what was taken may need to leave when the bus is closed. */
  closeMs: 1_000,
  /** Subscriptions in one command to the broker. */
  subscriptionsPerCommand: 500,
  /** Messages, and bytes, after which a NATS server is asked whether it has them. */
  flushMessages: 256,
  flushBytes: 256 * KiB,
  /** Of a node's queue in RabbitMQ. Above: the oldest are dropped. */
  brokerQueueMessagesMax: 10_000,
  brokerQueueBytesMax: 16 * MiB,
  /** Nodes whose messages are told apart. Above: whoever was silent longest is forgotten. */
  sendersMax: 1_024,
  /** How far a message may come behind a later one of its sender, in messages. Later ones are dropped. */
  replayWindow: 4_096,
  /** Bytes of the id of a node or of a cluster in UTF-8. */
  idBytesMax: 64,
  /** Between two beats of a node's pulse. */
  beatMs: 1_000,
  /** Beats without an echo after which the bus is away. */
  beatsUnheardMax: 3
} as const
