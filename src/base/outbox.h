// Outbox: where a pure machine puts what it wants done.
//
// A machine never acts. Each input appends effects, as values, to an outbox that the caller owns; the caller
// drains it after the input returns. So there is no re-entrancy, and a machine can be driven by the real host,
// by the simulator or by a test with the same code.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace selvedge {

template <class Effect>
class Outbox {
 public:
  template <class E>
  void push(E&& effect) { effects_.emplace_back(std::forward<E>(effect)); }
  bool empty() const { return effects_.empty(); }
  size_t size() const { return effects_.size(); }
  /// Hands over all effects in the order they were pushed and leaves the outbox empty.
  std::vector<Effect> take() { return std::exchange(effects_, {}); }
  auto begin() const { return effects_.begin(); }
  auto end() const { return effects_.end(); }

 private:
  std::vector<Effect> effects_;
};

}  // namespace selvedge
