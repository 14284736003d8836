#include "sim/program.h"

#include "codec/varint.h"
#include "crypto/hash.h"
#include "wasm/trace.h"

namespace selvedge::sim {

namespace {

constexpr uint64_t kFuelBase = 10'000;
constexpr uint64_t kFuelPerByte = 25;
constexpr size_t kOutputPieces = 4;

void section(Bytes& out, uint8_t id, const Bytes& body) {
  out.push_back(id);
  out.push_back(uint8_t(body.size()));
  append(out, body);
}

}  // namespace

const char* lie_name(Lie lie) {
  switch (lie) {
    case Lie::kNone: return "none";
    case Lie::kWrongOutput: return "wrong output";
    case Lie::kSharedOutput: return "shared output";
    case Lie::kWrongFuel: return "wrong fuel";
    case Lie::kBrokenCommitment: return "broken commitment";
    case Lie::kNeverReveals: return "never reveals";
    case Lie::kTamperedSymbols: return "tampered symbols";
    case Lie::kSilentHolder: return "silent holder";
  }
  return "none";
}

Bytes program_module(uint64_t salt) {
  Bytes out{0, 'a', 's', 'm', 1, 0, 0, 0};
  section(out, 1, {1, 0x60, 0, 0});                                          // type 0: () -> ()
  section(out, 3, {1, 0});                                                   // function 0 is of type 0
  section(out, 5, {1, 0, 1});                                                // one memory of one page
  section(out, 7, {2, 6, '_', 's', 't', 'a', 'r', 't', 0, 0, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0});
  section(out, 10, {1, 2, 0, 0x0b});                                         // its body: end
  Bytes data{1, 0, 0x41, 0, 0x0b, 8};                                        // the salt at address 0
  append_u64(data, salt);
  section(out, 11, data);
  return out;
}

work::DomainResult run_program(const crypto::Digest& module, const std::vector<std::string>& args, ByteView input, uint64_t seed,
                               uint64_t fuel_limit) {
  work::DomainResult result;
  const crypto::Digest args_digest = wasm::digest_args(args);
  uint8_t seed_bytes[8];
  store_u64(seed_bytes, seed);
  crypto::Digest state = crypto::Sha256().update(module).update(args_digest).update(input).update(seed_bytes).finish();
  result.trace = crypto::Sha256().update(view("trace")).update(state).finish();
  result.fuel = kFuelBase + kFuelPerByte * input.size();
  result.cpu_ns = result.fuel * 10;
  result.memory_peak_bytes = wasm::kPageBytes;
  if (result.fuel > fuel_limit) {
    result.outcome = object::Outcome::kFuel;
    result.fuel = fuel_limit;
    return result;
  }
  if (to_string(input.first(std::min<size_t>(4, input.size()))) == "trap") {
    result.outcome = object::Outcome::kTrap;
    return result;
  }
  result.outcome = object::Outcome::kOk;
  for (size_t i = 0; i < kOutputPieces; ++i) {
    append(result.output, view(state.hex()));
    result.output.push_back('\n');
    state = crypto::sha256(state);
  }
  return result;
}

work::DomainResult distort(work::DomainResult truth, Lie lie, const crypto::PublicKey& self) {
  switch (lie) {
    case Lie::kWrongOutput:
      truth.outcome = object::Outcome::kOk;
      truth.output = to_bytes(view("a lie of " + self.hex()));
      break;
    case Lie::kSharedOutput:
      truth.outcome = object::Outcome::kOk;
      truth.output = to_bytes(view("a lie agreed on beforehand"));
      break;
    case Lie::kWrongFuel:
      truth.fuel += 1;
      break;
    default:
      break;
  }
  return truth;
}

}  // namespace selvedge::sim
