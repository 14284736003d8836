// Operations ("storage.read") and the patterns over them: "*" is any one word, "**" as the last word is one or more.

const WORD = /^[a-z0-9_-]+$/;

function wordsOf(text: string): string[] | null {
  if (text === '' || text.length > 128) return null;
  const words = text.split('.');
  return words.length <= 8 ? words : null;
}

export function isOperation(text: string): boolean {
  return wordsOf(text)?.every((word) => WORD.test(word)) ?? false;
}

export function isPattern(text: string): boolean {
  const words = wordsOf(text);
  return words?.every((word, i) => WORD.test(word) || word === '*' || (word === '**' && i === words.length - 1)) ?? false;
}

/** Whether the pattern covers the operation. */
export function matches(pattern: string, operation: string): boolean {
  const [want, have] = [pattern.split('.'), operation.split('.')];
  if (want[want.length - 1] === '**') {
    return have.length >= want.length && want.slice(0, -1).every((word, i) => word === '*' || word === have[i]);
  }
  return want.length === have.length && want.every((word, i) => word === '*' || word === have[i]);
}

/** Whether every operation that `narrow` covers is covered by `wide`. */
export function contains(wide: string, narrow: string): boolean {
  const [outer, inner] = [wide.split('.'), narrow.split('.')];
  const open = outer[outer.length - 1] === '**';
  const innerOpen = inner[inner.length - 1] === '**';
  const fixed = open ? outer.slice(0, -1) : outer;
  // The words of `narrow` that stand at a fixed place; "**" stands for at least one more.
  const given = innerOpen ? inner.slice(0, -1) : inner;
  if (innerOpen && !open) return false;
  if (open ? given.length + (innerOpen ? 1 : 0) <= fixed.length : given.length !== fixed.length) return false;
  return fixed.every((word, i) => word === '*' || word === given[i]);
}

/** Whether each pattern of `narrow` lies within one of `wide`. */
export function containsAll(wide: readonly string[], narrow: readonly string[]): boolean {
  return narrow.every((inner) => wide.some((outer) => contains(outer, inner)));
}

/** The place of the first pattern that covers the operation, or -1. */
export function firstMatch(patterns: readonly string[], operation: string): number {
  return patterns.findIndex((pattern) => matches(pattern, operation));
}
