/** The MIME structure of a whole message in memory. For one that comes in pieces see mime-scanner.ts. */
import { MimeScanner, mimeLimits, type MimeLimits } from "./mime-scanner.ts";
import type { Part } from "./part.ts";

export { mimeLimits, type MimeLimits } from "./mime-scanner.ts";
export type { Part } from "./part.ts";

/** Scans the message that fills `octets` from `start` to `end`; the headers of its parts are views of it. Never throws. */
export const scanMime = (octets: Buffer, start = 0, end = octets.length, limits: MimeLimits = mimeLimits): Part => new MimeScanner(limits).whole(octets, start, end);
