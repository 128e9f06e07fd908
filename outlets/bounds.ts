/** Every bound of the outlets in this folder. */
export const bounds = {
  /** UTF-16 units of an outlet's name. Longer: OutletError when it is made. */
  nameLengthMax: 200,
  /** Bytes that are read of a webhook's answer; what it says beyond its status is of no use. */
  answerBytesMax: 64 * 1024,
  /** Secrets that sign one webhook, as while one replaces another. More: OutletError when it is made. */
  secretsMax: 4,
  /** A broker that has not answered for so long is away: the delivery rejects. */
  brokerMs: 10_000,
  /** Messages that a broker has given back as unroutable and of which nobody has asked yet. Above: the oldest are forgotten. */
  returnedMax: 1_000
} as const
