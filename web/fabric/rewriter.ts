// The rewriter's module (src/wasm/abi.cc): what a page's program becomes before an engine sees it.

import { fromUtf8 } from '../src/bytes.js';

export interface Rewritten { module: Uint8Array; identity: Uint8Array; pagesMin: number; hasStart: boolean }

interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  rewrite_alloc(size: number): number;
  rewrite_free(at: number): void;
  rewrite_board(): number;
  rewrite_module(at: number, size: number): number;
}

/** Throws an Error that names what is refused, and where in the module. */
export async function rewrite(source: Response, bytes: Uint8Array): Promise<Rewritten> {
  const stop = (): never => {
    throw new Error('the rewriter found a bug of its own');
  };
  const { instance } = await WebAssembly.instantiateStreaming(source, { env: { tab_bug: stop } });
  const exports = instance.exports as unknown as Exports;
  exports._initialize();
  const at = exports.rewrite_alloc(Math.max(1, bytes.length));
  new Uint8Array(exports.memory.buffer).set(bytes, at >>> 0);
  const result = exports.rewrite_module(at, bytes.length) >>> 0;
  const board = new Uint32Array(exports.memory.buffer, exports.rewrite_board() >>> 0, 12);
  const out = new Uint8Array(exports.memory.buffer).slice(result, result + (board[1] as number));
  if (board[0] !== 1) throw new Error(fromUtf8(out));
  return { module: out, pagesMin: board[2] as number, hasStart: board[3] === 1, identity: new Uint8Array(new Uint32Array(board.slice(4)).buffer) };
}
