// Duty: so much of one processor and no more, by resting between slices of a program. Pure but for the clock and the sleep it is given.

export interface Clock { now(): number; sleep(ms: number): Promise<void> }

/** How long a full share runs before whoever has a message for this worker is heard. */
const HEARD_MS = 50;

export class Duty {
  #permille = 1000;
  #burstMs = 10;
  #since: number;
  #heard: number;
  #busy = 0;
  #wake: (() => void) | null = null;

  constructor(readonly clock: Clock) {
    this.#since = this.#heard = clock.now();
  }

  /** 0 stands still, until another share is set. */
  set(permille: number, burstMs: number): void {
    this.#permille = Math.max(0, Math.min(1000, permille));
    this.#burstMs = Math.max(1, burstMs);
    if (this.#permille > 0) this.#wake?.();
  }

  begin(): void {
    this.#busy = 0;
    this.#since = this.#heard = this.clock.now();
  }

  /** Milliseconds of work since begin(). */
  get busy(): number {
    return this.#busy + this.clock.now() - this.#since;
  }

  /** Asked between slices: a promise, and the program stands still until it resolves; or nothing, and it goes on. */
  rest(): Promise<void> | undefined {
    const now = this.clock.now();
    const worked = now - this.#since;
    if (this.#permille === 0 || (this.#permille < 1000 && worked >= this.#burstMs)) return this.#stand(worked);
    if (now - this.#heard < HEARD_MS) return undefined;
    return this.#stand(worked);
  }

  async #stand(worked: number): Promise<void> {
    this.#busy += worked;
    const permille = this.#permille;
    if (permille > 0) await this.clock.sleep(permille === 1000 ? 0 : worked * (1000 / permille - 1));
    while (this.#permille === 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = null;
    }
    this.#since = this.#heard = this.clock.now();
  }
}
