#include "wasi/state_calls.h"

namespace selvedge::wasi {

namespace {

bool inside(const GuestMemory& memory, uint64_t at, uint64_t size) { return at <= memory.size() && size <= memory.size() - at; }

Errno key_problem(std::string_view key) {
  if (key.size() > kStateKeyMax) return Errno::kNameTooLong;
  return key.empty() || key.find('\0') != std::string_view::npos ? Errno::kInval : Errno::kSuccess;
}

}  // namespace

// ---- a state in this process

std::optional<Bytes> StateMap::get(std::string_view key) const {
  const auto it = values_.find(key);
  return it == values_.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::string> StateMap::next(std::string_view prefix, std::string_view after) const {
  const auto it = after < prefix ? values_.lower_bound(prefix) : values_.upper_bound(after);
  return it == values_.end() || !it->first.starts_with(prefix) ? std::nullopt : std::optional(it->first);
}

void StateMap::apply(const std::vector<StateWrite>& writes) {
  for (const StateWrite& write : writes) {
    const auto it = values_.find(write.key);
    if (it != values_.end()) {
      use_.bytes -= it->first.size() + it->second.size();
      use_.keys -= 1;
      values_.erase(it);
    }
    if (!write.value) continue;
    use_.bytes += write.key.size() + write.value->size();
    use_.keys += 1;
    values_.emplace(write.key, *write.value);
  }
}

Status StateMap::check(const std::vector<StateWrite>& writes) const {
  StateUse after = use_;
  uint64_t bytes = 0;
  for (size_t i = 0; i < writes.size(); ++i) {
    const StateWrite& write = writes[i];
    if (key_problem(write.key) != Errno::kSuccess || (write.value && write.value->size() > kStateValueMax)) return fail(Errc::kInvalid, "a write that no program can make");
    if (i > 0 && writes[i - 1].key >= write.key) return fail(Errc::kInvalid, "writes that are not in order");
    const auto it = values_.find(write.key);
    if (it != values_.end()) after.bytes -= it->first.size() + it->second.size(), after.keys -= 1;
    if (write.value) after.bytes += write.key.size() + write.value->size(), after.keys += 1;
    bytes += write.key.size() + (write.value ? write.value->size() : 0);
  }
  const bool less = after.bytes <= use_.bytes && after.keys <= use_.keys;
  if (writes.size() > kStateWritesMax || bytes > kStateWriteBytesMax || !(after.fits() || less)) return fail(Errc::kLimit, "more state than a service may have");
  return ok();
}

// ---- calls

WasiAnswer StateCalls::call(wasm::StateFunction function, std::span<const uint64_t> a, GuestMemory& memory) {
  CHECK(a.size() >= wasm::kWasiArgsMax);
  owed_ = kStateCallFuel;
  WasiAnswer out;
  switch (function) {
    case wasm::StateFunction::kGet: out.error = get(a, memory); break;
    case wasm::StateFunction::kPut: out.error = put(a, memory); break;
    case wasm::StateFunction::kDelete: out.error = change(a, memory, std::nullopt); break;
    case wasm::StateFunction::kNext: out.error = next(a, memory); break;
    case wasm::StateFunction::kCount: out.error = Errno::kNoSystemCall; break;
  }
  out.fuel = owed_;
  return out;
}

Errno StateCalls::text(GuestMemory& memory, uint64_t at, uint64_t size, std::string& out) {
  if (!inside(memory, at, size)) return Errno::kFault;
  if (size > kStateKeyMax) return Errno::kNameTooLong;
  owed_ += (size + 7) / 8;
  out.resize(size);
  memory.read(at, std::span(reinterpret_cast<uint8_t*>(out.data()), size));
  return out.find('\0') == std::string::npos ? Errno::kSuccess : Errno::kInval;
}

// As much as there is room for, and how much there is.
Errno StateCalls::give(GuestMemory& memory, ByteView bytes, uint64_t at, uint64_t room, uint64_t size_at) {
  if (!inside(memory, at, room) || !inside(memory, size_at, 4)) return Errno::kFault;
  const size_t size = size_t(std::min<uint64_t>(bytes.size(), room));
  memory.write(at, bytes.first(size));
  uint8_t whole[4];
  store_le(whole, uint32_t(bytes.size()));
  memory.write(size_at, whole);
  owed_ += (size + 7) / 8;
  return Errno::kSuccess;
}

const std::optional<Bytes>& StateCalls::read(const std::string& key) {
  const auto it = written_.find(key);
  if (it != written_.end()) return it->second.value;
  if (last_key_ != key) last_ = view_.get(key), last_key_ = key;
  return last_;
}

Errno StateCalls::get(std::span<const uint64_t> a, GuestMemory& memory) {
  std::string key;
  Errno error = text(memory, a[0], a[1], key);
  if (error == Errno::kSuccess) error = key_problem(key);
  if (error != Errno::kSuccess) return error;
  const std::optional<Bytes>& value = read(key);
  return value ? give(memory, *value, a[2], a[3], a[4]) : Errno::kNoEntry;
}

Errno StateCalls::put(std::span<const uint64_t> a, GuestMemory& memory) {
  if (!inside(memory, a[2], a[3])) return Errno::kFault;
  if (a[3] > kStateValueMax) return Errno::kTooBig;
  Bytes value{};
  value.resize(size_t(a[3]));
  memory.read(a[2], value);
  owed_ += (a[3] + 7) / 8;
  return change(a, memory, std::move(value));
}

Errno StateCalls::change(std::span<const uint64_t> a, GuestMemory& memory, std::optional<Bytes> value) {
  std::string key;
  Errno error = text(memory, a[0], a[1], key);
  if (error == Errno::kSuccess) error = key_problem(key);
  if (error != Errno::kSuccess) return error;
  const std::optional<Bytes>& now = read(key);
  if (!value && !now) return Errno::kNoEntry;
  StateUse after = use_;
  if (now) after.bytes -= key.size() + now->size(), after.keys -= 1;
  if (value) after.bytes += key.size() + value->size(), after.keys += 1;
  const auto it = written_.find(key);
  uint64_t written = written_bytes_ + (value ? value->size() : 0);
  if (it != written_.end()) written -= it->second.value ? it->second.value->size() : 0;
  else written += key.size();
  const bool less = after.bytes <= use_.bytes && after.keys <= use_.keys;
  const bool room = (it != written_.end() || written_.size() < kStateWritesMax) && written <= kStateWriteBytesMax;
  if (!room || !(after.fits() || less)) return Errno::kNoSpace;
  use_ = after;
  written_bytes_ = written;
  if (it != written_.end()) it->second.value = std::move(value);
  else written_.emplace(std::move(key), Written{std::move(value), now ? std::optional(now->size()) : std::nullopt});
  return Errno::kSuccess;
}

Errno StateCalls::next(std::span<const uint64_t> a, GuestMemory& memory) {
  std::string prefix, after;
  Errno error = text(memory, a[0], a[1], prefix);
  if (error == Errno::kSuccess) error = text(memory, a[2], a[3], after);
  if (error != Errno::kSuccess) return error;
  // The first that is there already and was not deleted by this request; or, if it comes before that, one that this request made.
  std::optional<std::string> there = view_.next(prefix, after);
  for (auto it = written_.end(); there && (it = written_.find(*there)) != written_.end() && !it->second.value;) {
    owed_ += kStateCallFuel;
    there = view_.next(prefix, *there);
  }
  auto made = after < prefix ? written_.lower_bound(prefix) : written_.upper_bound(after);
  while (made != written_.end() && !made->second.value) ++made;
  if (made != written_.end() && made->first.starts_with(prefix) && (!there || made->first < *there)) there = made->first;
  return there ? give(memory, view(*there), a[4], a[5], a[6]) : Errno::kNoEntry;
}

std::vector<StateWrite> StateCalls::take_writes() {
  std::vector<StateWrite> out;
  for (auto& [key, written] : written_) {
    if (written.value || written.before) out.push_back({key, std::move(written.value)});
  }
  written_.clear();
  return out;
}

}  // namespace selvedge::wasi
