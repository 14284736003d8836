#include "sim/disk.h"

#include <algorithm>

namespace selvedge::sim {

void SimDisk::apply(Content& content, const store::DiskWrite& write) {
  for (const store::Write& w : write.writes) {
    if (w.value) content[{w.column, w.key}] = std::make_shared<const Bytes>(*w.value);
    else content.erase({w.column, w.key});
  }
}

void SimDisk::write(store::DiskWrite write) {
  apply(visible_, write);
  log_.push_back({std::move(write), Fate::kWaiting});
}

std::vector<uint64_t> SimDisk::waiting() const {
  std::vector<uint64_t> tokens;
  for (const Entry& entry : log_) {
    if (entry.fate == Fate::kWaiting) tokens.push_back(entry.write.token);
  }
  return tokens;
}

size_t SimDisk::writes_waiting() const {
  return size_t(std::count_if(log_.begin(), log_.end(), [](const Entry& e) { return e.fate == Fate::kWaiting; }));
}

const store::DiskWrite* SimDisk::persist(uint64_t token) {
  for (Entry& entry : log_) {
    if (entry.write.token != token || entry.fate != Fate::kWaiting) continue;
    entry.fate = Fate::kPersisted;
    return &entry.write;
  }
  return nullptr;
}

void SimDisk::settle() {
  while (!log_.empty() && log_.front().fate == Fate::kPersisted) {
    apply(base_, log_.front().write);
    log_.pop_front();
  }
}

void SimDisk::refuse(uint64_t token) {
  for (Entry& entry : log_) {
    if (entry.write.token == token && entry.fate == Fate::kWaiting) entry.fate = Fate::kFailed;
  }
  visible_ = base_;
  for (const Entry& entry : log_) {
    if (entry.fate != Fate::kFailed) apply(visible_, entry.write);
  }
}

std::vector<std::optional<Bytes>> SimDisk::read(const store::DiskRead& read) const {
  std::vector<std::optional<Bytes>> values;
  for (const Bytes& key : read.keys) {
    const auto it = visible_.find({read.column, key});
    values.push_back(it == visible_.end() ? std::nullopt : std::optional<Bytes>(*it->second));
  }
  return values;
}

void SimDisk::crash(Rng& rng) {
  for (const Entry& entry : log_) {
    const bool survives = entry.fate == Fate::kPersisted || rng.chance(1, entry.fate == Fate::kFailed ? 4 : 2);
    if (survives) apply(base_, entry.write);
  }
  log_.clear();
  visible_ = base_;
}

}  // namespace selvedge::sim
