// The node's WebAssembly module: its memory, its calls, and what it tells.

import type { Bytes } from '../src/bytes.js';
import { fromUtf8 } from '../src/bytes.js';

interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  tab_alloc(size: number): number;
  tab_free(at: number): void;
  tab_new(now: number, start: number): void;
  tab_take(now: number, kind: number, number: number, at: number, size: number): void;
  tab_due(now: number): void;
  tab_next(): number;
}

export type OnTold = (kind: number, number: number, bytes: Bytes) => void;

export class NodeModule {
  readonly #exports: Exports;

  private constructor(exports: Exports) {
    this.#exports = exports;
  }

  /** `told` is called during calls and calls nothing of the module itself. */
  static async load(source: Response | BufferSource, told: OnTold): Promise<NodeModule> {
    let exports: Exports | null = null;
    const bytes = (at: number, size: number): Bytes => new Uint8Array((exports as Exports).memory.buffer.slice(at >>> 0, (at >>> 0) + (size >>> 0)) as ArrayBuffer);
    const imports = {
      env: {
        tab_told: (kind: number, number: number, at: number, size: number) => told(kind, number, bytes(at, size)),
        tab_bug: (at: number, size: number) => {
          throw new Error(`the node found a bug of its own: ${fromUtf8(bytes(at, size))}`);
        },
      },
      // Of the C library's streams, which nothing writes to.
      wasi_snapshot_preview1: { fd_close: () => 8, fd_seek: () => 8, fd_write: () => 8 },
    };
    const { instance } = source instanceof Response ? await WebAssembly.instantiateStreaming(source, imports) : await WebAssembly.instantiate(source, imports);
    exports = instance.exports as unknown as Exports;
    exports._initialize();
    return new NodeModule(exports);
  }

  #with(bytes: Uint8Array, use: (at: number) => void): void {
    const at = this.#exports.tab_alloc(Math.max(1, bytes.length));
    new Uint8Array(this.#exports.memory.buffer).set(bytes, at >>> 0);
    try {
      use(at);
    } finally {
      this.#exports.tab_free(at);
    }
  }

  /** `now`, everywhere: milliseconds since 1970, with their fractions. `random`: 32 bytes. */
  start(now: number, random: Uint8Array, owner: Uint8Array): void {
    const bytes = new Uint8Array(64);
    bytes.set(random);
    bytes.set(owner, 32);
    this.#with(bytes, (at) => this.#exports.tab_new(now, at));
  }

  take(now: number, kind: number, number: number, bytes: Uint8Array): void {
    this.#with(bytes, (at) => this.#exports.tab_take(now, kind, number, at, bytes.length));
  }

  due(now: number): void {
    this.#exports.tab_due(now);
  }

  next(): number {
    return this.#exports.tab_next();
  }

  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }
}
