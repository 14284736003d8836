// Makes a module resumable, with Binaryen's Asyncify: done when a bundle is built and never on a node, because it is a compiler.
#pragma once

#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace selvedge::cli {

/// The module with its stack able to be put aside at calls of selvedge.checkpoint, and nowhere else. It runs up to twice as long where calls are small and
/// many. Errors: kNotFound (wasm-opt is not installed), kInvalid (the module never calls it, or wasm-opt does not take it), kIo.
Result<Bytes> make_resumable(const std::string& path);

}  // namespace selvedge::cli
