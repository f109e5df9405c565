/** What a store asks of whoever opens it; all of it may be left out. */
export interface StoreHooks {
  /** Makes the facts of a message (`Mailbox.facts`) from its octets with CRLF. Pure; never throws. Called off the path of deliveries. */
  readonly facts?: (octets: Buffer) => Buffer;
  /** Says what was found wrong and mended: one line without line end; names of files in it are not escaped. */
  readonly log?: (line: string) => void;
  /** Nobody else has anything to do with these files: they are not watched. */
  readonly alone?: boolean;
  /** The quota is used up to this percentage of `quota_warning`: called once as it is reached. */
  readonly quotaWarning?: (percent: number) => void;
}
