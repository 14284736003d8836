// The rewriter as a WebAssembly module, for pages that run programs of their own (web/fabric): as strict there as on a machine, since it is the same.
#if defined(__wasm__)
#include <cstdlib>

#include "wasm/rewrite.h"

namespace selvedge::wasm {

// The module has one result: that of the last call.
static Bytes result;            // style: allow mutable_global because a WebAssembly instance is the object, and this its member
static uint32_t board[12];      // style: allow mutable_global because it is where that object shows numbers

extern "C" {

__attribute__((export_name("rewrite_alloc"))) uint8_t* rewrite_alloc(size_t size) { return static_cast<uint8_t*>(malloc(size)); }
__attribute__((export_name("rewrite_free"))) void rewrite_free(uint8_t* memory) { free(memory); }
__attribute__((export_name("rewrite_board"))) uint32_t* rewrite_board() { return board; }

/// Returns where the result is. Board: 0 whether it is a module, and not why there is none; 1 its size; 2 pages at the start; 3 whether it has a start
/// function; 4 to 11 the identity.
__attribute__((export_name("rewrite_module"))) const uint8_t* rewrite_module(const uint8_t* module, size_t size) {
  Result<Rewritten> made = rewrite(ByteView(module, size));
  board[0] = made.ok();
  if (made.ok()) {
    result = std::move(made->module);
    board[2] = made->memory_pages_min;
    board[3] = made->has_start;
    std::memcpy(board + 4, made->identity.bytes.data(), made->identity.bytes.size());
  } else {
    result = to_bytes(view(made.error().message));
  }
  board[1] = uint32_t(result.size());
  return result.data();
}

}  // extern "C"

}  // namespace selvedge::wasm
#endif
