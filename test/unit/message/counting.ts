/** A buffer that counts the octets that are looked at, one by one or by a search, a copy or a conversion. */
export interface Counting {
  readonly octets: Buffer;
  readonly work: () => number;
}

export function counting(octets: Buffer): Counting {
  let work = 0;
  const wrap = (target: Buffer): Buffer =>
    new Proxy(target, {
      get(_, property): unknown {
        if (typeof property === "string" && /^\d/.test(property)) {
          work++;
          return target[Number(property)];
        }
        switch (property) {
          case "indexOf":
            return (value: Buffer | string | number, from = 0): number => {
              const found = target.indexOf(value, from);
              work += (found < 0 ? target.length : found) - from + 1;
              return found;
            };
          case "includes":
            return (value: Buffer | string | number): boolean => {
              work += target.length;
              return target.includes(value);
            };
          case "toString":
            return (encoding: BufferEncoding, from = 0, to = target.length): string => {
              work += to - from;
              return target.toString(encoding, from, to);
            };
          case "subarray":
            return (from?: number, to?: number): Buffer => wrap(target.subarray(from, to));
          // Whoever looks into it by words.
          case "buffer":
            work += target.length;
            return target.buffer;
          case "byteOffset":
            return target.byteOffset;
          case "length":
            return target.length;
          default:
            throw new Error(`${String(property)} is not counted`);
        }
      },
    });
  return { octets: wrap(octets), work: () => work };
}
