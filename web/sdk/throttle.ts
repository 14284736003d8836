// Throttle: how much of the agreed share a page gives at this moment. Pure: it is told what happens, and when.
//
// A tab is somebody's window first. One late frame cuts the share at once; it comes back slowly, and whole only while nobody is using the page. spec: EN 3.3

export interface ThrottleOptions {
  /** The most, of one processor: 0 to 1. */
  cpuLimit: number;
  /** Milliseconds without input after which the visitor counts as idle. */
  minIdleTime: number;
  /** Nothing while the page has the focus. */
  unfocusedOnly: boolean;
  respectBattery: boolean;
}

/** A frame that takes longer than this was a late one: two of sixty in a second. */
export const LATE_FRAME_MS = 34;
/** While frames are late, and how it comes back. */
const BACKED_OFF = 0.1, RECOVER_MS = 2000;
/** Of the limit, while somebody is at the page. */
const IN_USE = 0.5;
const BATTERY_LOW = 0.3;

export class Throttle {
  readonly #options: ThrottleOptions;
  #visible = true;
  #focused = true;
  #frozen = false;
  #paused = false;
  #saveData = false;
  #battery = { charging: true, level: 1 };
  #input = -Infinity;
  #late = -Infinity;

  constructor(options: ThrottleOptions) {
    this.#options = options;
  }

  frame(now: number, took: number): void {
    if (this.#visible && took > LATE_FRAME_MS) this.#late = now;
  }
  input(now: number): void {
    this.#input = now;
  }
  visible(yes: boolean): void {
    this.#visible = yes;
  }
  focused(yes: boolean): void {
    this.#focused = yes;
  }
  frozen(yes: boolean): void {
    this.#frozen = yes;
  }
  paused(yes: boolean): void {
    this.#paused = yes;
  }
  saveData(yes: boolean): void {
    this.#saveData = yes;
  }
  battery(charging: boolean, level: number): void {
    this.#battery = { charging, level };
  }

  /** Why less than the limit is given, in a word for a person; empty: nothing is held back. */
  reason(now: number): string {
    if (this.#paused) return 'paused';
    if (this.#frozen) return 'the browser froze the page';
    if (this.#saveData) return 'the browser saves data';
    if (this.#options.respectBattery && !this.#battery.charging && this.#battery.level < BATTERY_LOW) return 'the battery is low';
    if (this.#options.unfocusedOnly && this.#visible && this.#focused) return 'the page is in use';
    if (now - this.#late < RECOVER_MS) return 'the page is busy';
    if (this.#options.respectBattery && !this.#battery.charging) return 'on battery';
    if (this.#visible && now - this.#input < this.#options.minIdleTime) return 'you are using the page';
    return '';
  }

  /** Of one processor, 0 to cpuLimit. */
  share(now: number): number {
    const limit = Math.max(0, Math.min(1, this.#options.cpuLimit));
    switch (this.reason(now)) {
      case '': return limit;
      case 'you are using the page':
      case 'on battery': return limit * IN_USE;
      case 'the page is busy': {
        const back = (now - this.#late) / RECOVER_MS; // from a tenth of the limit to half of it, which is what a page in use gives
        return limit * (BACKED_OFF + (IN_USE - BACKED_OFF) * back * back);
      }
      default: return 0;
    }
  }
}
