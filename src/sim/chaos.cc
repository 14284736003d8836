#include <algorithm>

#include "sim/scenario.h"

namespace selvedge::sim {

Chaos::Chaos(World& world, std::vector<NodeIndex> victims, Kinds kinds)
    : world_(world), victims_(std::move(victims)), kinds_(kinds), rng_(world.rng().fork()), going_(std::make_shared<bool>(false)) {}

void Chaos::start() {
  *going_ = true;
  next();
}

void Chaos::next() {
  const Duration pause = nanoseconds(int64_t(rng_.between(uint64_t(kinds_.interval.ns / 4), uint64_t(kinds_.interval.ns * 2))));
  world_.after(pause, [this, going = going_] {
    if (!*going) return;
    trouble();
    next();
  });
}

void Chaos::trouble() {
  std::vector<std::function<void()>> choices;
  const auto pick = [this] { return victims_[rng_.below(victims_.size())]; };
  const auto split = [this](std::vector<NodeIndex>& some, std::vector<NodeIndex>& others) {
    std::vector<NodeIndex> all(world_.size());
    for (NodeIndex n = 0; n < all.size(); ++n) all[n] = n;
    rng_.shuffle(std::span<NodeIndex>(all));
    const size_t cut = 1 + rng_.below(std::max<size_t>(1, all.size() / 2));
    some.assign(all.begin(), all.begin() + long(cut));
    others.assign(all.begin() + long(cut), all.end());
  };
  const auto heal_later = [this] {
    world_.after(milliseconds(int64_t(rng_.between(100, 12'000))), [this, going = going_] {
      if (*going) world_.heal();
    });
  };
  if (kinds_.partitions) choices.push_back([=, this] {
    std::vector<NodeIndex> some, others;
    split(some, others);
    world_.block(some, others);
    world_.block(others, some);
    heal_later();
  });
  if (kinds_.one_way_partitions) choices.push_back([=, this] {
    std::vector<NodeIndex> some, others;
    split(some, others);
    world_.block(some, others);
    heal_later();
  });
  const size_t down = size_t(std::count_if(victims_.begin(), victims_.end(), [this](NodeIndex n) { return !world_.up(n); }));
  const auto start_again = [this](NodeIndex n) {
    world_.after(milliseconds(int64_t(rng_.between(50, 10'000))), [this, n, going = going_] {
      if (*going && !world_.up(n)) world_.start(n);
    });
  };
  if (kinds_.crashes && down < kinds_.down_at_once_max) choices.push_back([=, this] {
    const NodeIndex n = pick();
    world_.crash(n);
    start_again(n);
  });
  if (kinds_.crashes_in_turn && down < kinds_.down_at_once_max) choices.push_back([=, this] {
    const NodeIndex n = pick();
    world_.crash_soon(n);
    start_again(n);
  });
  if (kinds_.link_breaks) choices.push_back([=, this] { world_.break_links(pick(), NodeIndex(rng_.below(world_.size()))); });
  if (choices.empty()) return;
  ++troubles_;
  choices[rng_.below(choices.size())]();
}

void Chaos::stop() {
  *going_ = false;
  world_.heal();
  for (NodeIndex n : victims_) {
    world_.spare(n);
    if (!world_.up(n)) world_.start(n);
  }
}

}  // namespace selvedge::sim
