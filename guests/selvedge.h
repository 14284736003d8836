/* What a program for Selvedge can ask for besides WASI.
 *
 * selvedge_checkpoint(): "here you may write down where I am". A program that runs for long calls it now and then, from wherever it is. If the
 * module was built to be resumable (selvedge bundle build --resumable, or wasm-opt --asyncify), a run that is lost goes on from the last such
 * place, on the same machine or on another one. Otherwise the call does nothing. SELVEDGE_STACK_BYTES is how much of the stack, in frames
 * between main and the call, can be put aside; a deeper one ends the program with a trap.
 */
#ifndef SELVEDGE_H
#define SELVEDGE_H

#ifndef SELVEDGE_STACK_BYTES
#define SELVEDGE_STACK_BYTES 16384
#endif

__attribute__((import_module("selvedge"), import_name("checkpoint"))) void selvedge_checkpoint_at(void *area, unsigned long bytes);

static inline void selvedge_checkpoint(void) {
  static struct {
    void *top, *end;
    char frames[SELVEDGE_STACK_BYTES];
  } area;
  selvedge_checkpoint_at(&area, sizeof area);
}

#endif
