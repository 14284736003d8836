// The adversary of the unlinkability tests: two origins put together everything that nodes showed them and look for anything by which
// the same node can be recognised. Tests only; nothing in the product includes it.
//
// It knows which node each sample came from, and asks of every feature it can think of whether samples of one node agree between the two
// origins more than samples of different nodes do: each byte and bit at each position from both ends, sizes, every two to eight bytes read as a number,
// as such, and less the time it was seen (a counter that runs with the clock), closeness in order instead of equality, and any six
// bytes in a row that turn up at both origins. The measure is exact: over all ways to pair the nodes of one origin with
// those of the other, how many standard deviations lies the true pairing from the mean (Hoeffding 1951)? Pure chance stays below the bars.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace selvedge::object::testing {

struct LinkSample {
  size_t node;
  Bytes bytes;
  uint64_t seen_ms;
};
struct Link {
  std::string feature;
  double z;
};

class Linker {
 public:
  Linker(size_t nodes, std::vector<LinkSample> a, std::vector<LinkSample> b) : nodes_(nodes), a_(std::move(a)), b_(std::move(b)) {
    for (const auto* side : {&a_, &b_}) {
      for (const LinkSample& sample : *side) {
        shortest_ = std::min(shortest_, sample.bytes.size());
        longest_ = std::max(longest_, sample.bytes.size());
      }
    }
  }

  /// Every feature by which nodes can be recognised, the strongest first.
  std::vector<Link> links() {
    try_numbers("size", [](const LinkSample& s) { return uint64_t(s.bytes.size()); });
    for (size_t at = 0; at < shortest_; ++at) {
      try_position(at, false);
      if (shortest_ < longest_) try_position(at, true);
    }
    try_substrings();
    std::sort(found_.begin(), found_.end(), [](const Link& x, const Link& y) { return x.z > y.z; });
    return found_;
  }

 private:
  using Matrix = std::vector<double>;

  static uint64_t number(const LinkSample& s, size_t at, size_t width, bool from_end) {
    if (from_end) at = s.bytes.size() - 1 - at;
    uint64_t out = 0;
    for (size_t i = 0; i < width && at + i < s.bytes.size(); ++i) out = out << 8 | s.bytes[at + i];
    return out;
  }

  void try_position(size_t at, bool from_end) {
    const std::string where = (from_end ? " from the end " : " at ") + std::to_string(at);
    for (const size_t bit : {0, 1, 2, 3, 4, 5, 6, 7}) {
      try_equality("bit " + std::to_string(bit) + where, [&](const LinkSample& s) { return number(s, at, 1, from_end) >> bit & 1; });
    }
    for (const size_t width : {1, 8}) {
      try_numbers("number of " + std::to_string(width) + where, [&](const LinkSample& s) { return number(s, at, width, from_end); });
    }
    for (const size_t width : {2, 4}) {
      try_equality("number of " + std::to_string(width) + where, [&](const LinkSample& s) { return number(s, at, width, from_end); });
    }
    for (const uint64_t shift : {0, 2048}) {
      try_equality("clock in ms" + where, [&](const LinkSample& s) { return (number(s, at, 8, from_end) - s.seen_ms + shift) / 4096; });
      try_equality("clock in s" + where, [&](const LinkSample& s) { return uint32_t(number(s, at, 4, from_end) - s.seen_ms / 1000 + shift) / 4; });
    }
  }

  template <class F>
  void try_numbers(const std::string& name, F feature) {
    try_equality(name, feature);
    try_closeness(name, feature);
  }

  template <class F>
  void try_equality(const std::string& name, F feature) {
    std::vector<uint64_t> of_a, of_b;
    for (const LinkSample& s : a_) of_a.push_back(feature(s));
    for (const LinkSample& s : b_) of_b.push_back(feature(s));
    if (std::all_of(of_a.begin(), of_a.end(), [&](uint64_t v) { return v == of_a[0]; })) return;  // the format
    Matrix same(nodes_ * nodes_);
    for (size_t i = 0; i < a_.size(); ++i) {
      for (size_t j = 0; j < b_.size(); ++j) same[a_[i].node * nodes_ + b_[j].node] += of_a[i] == of_b[j] ? 1 : 0;
    }
    judge("equal " + name, same);
  }

  template <class F>
  void try_closeness(const std::string& name, F feature) {
    const std::vector<double> of_a = ranks(means(a_, feature)), of_b = ranks(means(b_, feature));
    Matrix near(nodes_ * nodes_);
    for (size_t i = 0; i < nodes_; ++i) {
      for (size_t j = 0; j < nodes_; ++j) near[i * nodes_ + j] = -std::abs(of_a[i] - of_b[j]);
    }
    judge("order of " + name, near);
  }

  template <class F>
  std::vector<double> means(const std::vector<LinkSample>& side, F feature) const {
    std::vector<double> sum(nodes_), count(nodes_);
    for (const LinkSample& s : side) {
      sum[s.node] += double(feature(s));
      count[s.node] += 1;
    }
    for (size_t i = 0; i < nodes_; ++i) sum[i] /= std::max(1.0, count[i]);
    return sum;
  }

  static std::vector<double> ranks(const std::vector<double>& values) {
    std::vector<double> out;
    for (const double value : values) {
      double below = 0;
      for (const double other : values) below += other < value ? 1 : other == value ? 0.5 : 0;
      out.push_back(below);
    }
    return out;
  }

  void try_substrings() {
    constexpr size_t kWidth = 6;
    std::map<uint64_t, std::pair<std::set<size_t>, std::set<size_t>>> seen;
    for (const auto& [side, first] : {std::pair{&a_, true}, std::pair{&b_, false}}) {
      for (const LinkSample& s : *side) {
        for (size_t at = 0; at + kWidth <= s.bytes.size(); ++at) {
          auto& [of_a, of_b] = seen[number(s, at, kWidth, false)];
          (first ? of_a : of_b).insert(s.node);
        }
      }
    }
    Matrix shared(nodes_ * nodes_);
    for (const auto& [text, nodes] : seen) {
      // What most nodes show is the format.
      if (nodes.first.size() > nodes_ / 2 || nodes.second.size() > nodes_ / 2) continue;
      for (const size_t i : nodes.first) {
        for (const size_t j : nodes.second) shared[i * nodes_ + j] = 1;
      }
    }
    judge("six bytes in a row", shared);
  }

  void judge(const std::string& name, const Matrix& m) {
    const double n = double(nodes_);
    std::vector<double> rows(nodes_), columns(nodes_);
    double all = 0, diagonal = 0;
    for (size_t i = 0; i < nodes_; ++i) {
      for (size_t j = 0; j < nodes_; ++j) {
        rows[i] += m[i * nodes_ + j] / n;
        columns[j] += m[i * nodes_ + j] / n;
        all += m[i * nodes_ + j] / (n * n);
      }
      diagonal += m[i * nodes_ + i];
    }
    double variance = 0;
    for (size_t i = 0; i < nodes_; ++i) {
      for (size_t j = 0; j < nodes_; ++j) variance += std::pow(m[i * nodes_ + j] - rows[i] - columns[j] + all, 2) / (n - 1);
    }
    // One or two rare coincidences on the diagonal look strong by this measure, and recognise one or two nodes at most by chance.
    size_t recognised = 0;
    for (size_t i = 0; i < nodes_; ++i) recognised += m[i * nodes_ + i] > rows[i] ? 1 : 0;
    if (variance < 1e-9 || recognised < 4) return;
    const double z = (diagonal - all * n) / std::sqrt(variance);
    if (z > kBar) found_.push_back({name, z});
  }

  static constexpr double kBar = 6;
  size_t nodes_;
  std::vector<LinkSample> a_, b_;
  size_t shortest_ = SIZE_MAX;
  size_t longest_ = 0;
  std::vector<Link> found_;
};

/// The first few links as text, for a test's message.
inline std::string link_text(const std::vector<Link>& links) {
  std::string out;
  for (size_t i = 0; i < links.size() && i < 5; ++i) out += links[i].feature + " (z " + std::to_string(links[i].z) + ")\n";
  return out;
}

}  // namespace selvedge::object::testing
