// StateCalls: what a service's program keeps beyond its instance, without an engine. docs/spec/hosting.md, "State"
//
// A request reads what earlier ones left, and its own writes; whoever runs it takes the writes at the end and applies all of them, or none where it did not
// end well. Keys are bytes without zeros, in their order. One object per request; where the state lies, a StateView says.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "wasi/wasi_run.h"

namespace selvedge::wasi {

constexpr size_t kStateKeyMax = 256;
constexpr size_t kStateValueMax = 64u << 10;
constexpr uint64_t kStateBytesMax = 8u << 20;        // keys and values of a service
constexpr uint64_t kStateKeysMax = 8192;
constexpr size_t kStateWritesMax = 1024;             // of one request,
constexpr uint64_t kStateWriteBytesMax = 1u << 20;   // and their bytes
/// Fuel of a call, beside a unit for each 8 bytes moved: a read may have to ask another process.
constexpr uint64_t kStateCallFuel = 2000;

struct StateUse {
  uint64_t bytes = 0, keys = 0;
  /// Whether a service may have so much.
  bool fits() const { return bytes <= kStateBytesMax && keys <= kStateKeysMax; }
  bool operator==(const StateUse&) const = default;
};

struct StateWrite {
  std::string key;
  std::optional<Bytes> value;   // nothing: deleted
  bool operator==(const StateWrite&) const = default;
};

/// The state as earlier requests left it. It does not change while a request runs.
class StateView {
 public:
  virtual ~StateView() = default;
  virtual std::optional<Bytes> get(std::string_view key) const = 0;
  /// The first key after `after` that begins with `prefix`; nothing: there is none.
  virtual std::optional<std::string> next(std::string_view prefix, std::string_view after) const = 0;
  virtual StateUse use() const = 0;
};

/// A state in this process.
class StateMap final : public StateView {
 public:
  std::optional<Bytes> get(std::string_view key) const override;
  std::optional<std::string> next(std::string_view prefix, std::string_view after) const override;
  StateUse use() const override { return use_; }
  void apply(const std::vector<StateWrite>& writes);
  /// Whether a request could have made them, and there is room. Errors: kInvalid, kLimit.
  Status check(const std::vector<StateWrite>& writes) const;

 private:
  std::map<std::string, Bytes, std::less<>> values_;
  StateUse use_;
};

class StateCalls {
 public:
  /// `view` outlives it.
  explicit StateCalls(const StateView& view) : view_(view), use_(view.use()) {}
  /// As WasiRun::call. Errors for the guest: kInval (an empty key, or one with a zero), kNameTooLong, kTooBig (a value), kNoSpace (the service has as much as it
  /// may), kNoEntry, kFault.
  WasiAnswer call(wasm::StateFunction function, std::span<const uint64_t> args, GuestMemory& memory);
  /// What the request changed, in the order of the keys.
  std::vector<StateWrite> take_writes();

 private:
  struct Written {
    std::optional<Bytes> value;
    std::optional<size_t> before;   // the size that the value had, if there was one
  };
  Errno get(std::span<const uint64_t> a, GuestMemory& memory);
  Errno change(std::span<const uint64_t> key_at, GuestMemory& memory, std::optional<Bytes> value);
  Errno put(std::span<const uint64_t> a, GuestMemory& memory);
  Errno next(std::span<const uint64_t> a, GuestMemory& memory);
  Errno text(GuestMemory& memory, uint64_t at, uint64_t size, std::string& out);
  /// Each value comes from the view once.
  const std::optional<Bytes>& read(const std::string& key);
  Errno give(GuestMemory& memory, ByteView bytes, uint64_t at, uint64_t room, uint64_t size_at);

  const StateView& view_;
  StateUse use_;
  std::map<std::string, Written> written_;
  uint64_t written_bytes_ = 0;
  std::string last_key_;               // of the last read
  std::optional<Bytes> last_;
  uint64_t owed_ = 0;                  // fuel of the call in progress
};

}  // namespace selvedge::wasi
