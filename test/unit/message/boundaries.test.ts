import assert from "node:assert/strict";
import { test } from "node:test";
import { Boundaries, undecided } from "../../../src/message/boundaries.ts";

interface Open {
  readonly boundary: string;
  readonly level: number;
}

/** What RFC 2046 §5.1.2 says and what it leaves open, said slowly. */
function expected(open: readonly Open[], line: string, more: boolean): number {
  const text = line.slice(2);
  if (more && open.some(({ boundary }) => boundary.length > text.length && boundary.startsWith(text))) return undecided;
  const inwards = open.filter(({ boundary, level }) => text.startsWith(boundary) && !open.some((o) => o.boundary === boundary && o.level > level)).sort((a, b) => b.level - a.level);
  let found: Open | undefined;
  for (const o of inwards) {
    if (found !== undefined && o.boundary.length <= found.boundary.length) continue;
    found = o;
    if (more && inwards.length > 1 && text.length < o.boundary.length + 3) return undecided;
    if (/^(?:--)?(?:[\r\n]|$)/.test(text.slice(o.boundary.length))) break;
  }
  return found?.level ?? -1;
}

test("of few boundaries and of many the longest that fits counts, of equal ones the innermost, and none beyond one that is all of the line", () => {
  const names = ["b-", "a", "ab", "abc", "ab", "b", "abcd", "a", "abd", "bb", "abc", "a-", "a--", "b--"];
  const lines = ["--", "--a", "--ab", "--abc", "--abcd", "--abcde", "--abd--", "--b", "--bb", "--c", "--abx", "--a--", "--a--\r\n", "--a-\n--", "--a \r\n", "--ab\r\n", "--ab--\n", "--b----", "--b--"];
  const boundaries = new Boundaries();
  const open: Open[] = [];
  const check = (): void => {
    for (const line of lines)
      for (const more of [false, true]) {
        const octets = Buffer.from(`x${line}`);
        assert.equal(boundaries.levelAt(octets, 1, octets.length, more), expected(open, line, more), `${line} of ${open.map((o) => o.boundary).join(" ")}, ${String(more)}`);
      }
  };
  check();
  names.forEach((boundary, level) => {
    boundaries.open(boundary, level);
    open.push({ boundary, level });
    check();
  });
  for (const boundary of ["b--", "b-", "ab", "abc", "a", "bb", "a-", "a--", "abd", "abcd", "b", "ab", "abc", "a"]) {
    boundaries.close(boundary);
    open.splice(open.findLastIndex((o) => o.boundary === boundary), 1);
    check();
  }
});
