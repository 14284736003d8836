// What the simulated domains run, and how some of them lie.
//
// The simulator is not about WebAssembly: a task's output is a hash of everything a real program could depend on, so
// that the truth about any task is known to the checkers without running it on a node.
#pragma once

#include "work/executor.h"

namespace selvedge::sim {

/// How one machine behaves as an executor or a holder. Everything else about it is the honest node's code.
enum class Lie : uint8_t {
  kNone,
  kWrongOutput,       // its own wrong output, bound by a fitting commitment
  kSharedOutput,      // the same wrong output as every other node with this lie: they collude
  kWrongFuel,         // the right output, but claims to have used more fuel
  kBrokenCommitment,  // commits to one result and reveals another
  kNeverReveals,      // commits and falls silent
  kTamperedSymbols,   // gives out symbols with a bit flipped
  kSilentHolder,      // takes symbols and never gives any out
};
const char* lie_name(Lie lie);

/// A small module that the rewriter accepts; `salt` makes different modules of one another's behaviour.
Bytes program_module(uint64_t salt);

/// The true result of a task. `module` is the SHA-256 of the module as it was put. An input that begins with "trap"
/// makes the program trap; fuel grows with the input.
work::DomainResult run_program(const crypto::Digest& module, const std::vector<std::string>& args, ByteView input, uint64_t seed,
                               uint64_t fuel_limit);

/// What an executor with this lie answers in place of `truth`. `self` makes lone liars differ.
work::DomainResult distort(work::DomainResult truth, Lie lie, const crypto::PublicKey& self);

}  // namespace selvedge::sim
