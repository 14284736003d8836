// Why something is refused: a code from the list that all of Selvedge shares, and words for a person.

export type Code =
  | 'invalid'
  | 'non_canonical'
  | 'unsupported'
  | 'unauthorized'
  | 'expired'
  | 'revoked'
  | 'integrity'
  | 'exists'
  | 'limit'
  | 'quota'
  | 'unavailable';

/** What every function here throws for input that is not what it must be. Anything else that is thrown is a bug. */
export class Refusal extends Error {
  readonly code: Code;
  constructor(code: Code, message: string) {
    super(message);
    this.name = 'Refusal';
    this.code = code;
  }
}

export function refuse(code: Code, message: string): never {
  throw new Refusal(code, message);
}
