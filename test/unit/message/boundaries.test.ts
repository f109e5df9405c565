import assert from "node:assert/strict";
import { test } from "node:test";
import { Boundaries, undecided } from "../../../src/message/boundaries.ts";

/** What RFC 2046 §5.1.2 says, said slowly. */
function expected(open: readonly { readonly boundary: string; readonly level: number }[], line: string, more: boolean): number {
  const text = line.slice(2);
  if (more && open.some(({ boundary }) => boundary.length > text.length && boundary.startsWith(text))) return undecided;
  let found = { length: -1, level: -1 };
  for (const { boundary, level } of open) if (text.startsWith(boundary) && boundary.length >= found.length) found = { length: boundary.length, level };
  return found.level;
}

test("of few boundaries and of many the longest that fits counts, of equal ones the innermost", () => {
  const names = ["a", "ab", "abc", "ab", "b", "abcd", "a", "abd", "bb", "abc"];
  const lines = ["--", "--a", "--ab", "--abc", "--abcd", "--abcde", "--abd--", "--b", "--bb", "--c", "--abx"];
  const boundaries = new Boundaries();
  const open: { readonly boundary: string; readonly level: number }[] = [];
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
  for (const boundary of ["ab", "abc", "a", "bb", "abd", "abcd", "b", "ab", "abc", "a"]) {
    boundaries.close(boundary);
    open.splice(open.findLastIndex((o) => o.boundary === boundary), 1);
    check();
  }
});
