/** A message on its way out: short ones are in memory, long ones are read from the queue file as they are sent. */
export interface MessageSource {
  readonly octets: number;
  /** In pieces; LF line ends. */
  readonly memory: readonly Buffer[] | undefined;
  /** The same octets in pieces; may be read several times. Throws when the queue file can not be read. */
  pieces(): AsyncIterable<Buffer>;
}
