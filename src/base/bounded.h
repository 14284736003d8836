// Bounded containers: nothing in Selvedge grows without a named limit.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <utility>

#include "base/check.h"

namespace selvedge {

/// A FIFO that refuses when full. The refusal is the back-pressure: the caller turns it into Errc::kLimit.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t limit) : limit_(limit) {}
  [[nodiscard]] bool push(T item) {
    if (items_.size() >= limit_) return false;
    items_.push_back(std::move(item));
    return true;
  }
  bool empty() const { return items_.empty(); }
  bool full() const { return items_.size() >= limit_; }
  size_t size() const { return items_.size(); }
  size_t limit() const { return limit_; }
  T& front() { CHECK(!items_.empty()); return items_.front(); }
  T pop() {
    CHECK(!items_.empty());
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }

 private:
  size_t limit_;
  std::deque<T> items_;
};

/// An ordered map that refuses new keys when full. Iteration order is the key order: safe for outputs.
template <class K, class V>
class BoundedMap {
 public:
  explicit BoundedMap(size_t limit) : limit_(limit) {}
  /// Returns nullptr when the key is new and the map is full.
  [[nodiscard]] V* insert(const K& key, V value) {
    auto it = items_.find(key);
    if (it != items_.end()) {
      it->second = std::move(value);
      return &it->second;
    }
    if (items_.size() >= limit_) return nullptr;
    return &items_.emplace(key, std::move(value)).first->second;
  }
  V* find(const K& key) {
    auto it = items_.find(key);
    return it == items_.end() ? nullptr : &it->second;
  }
  const V* find(const K& key) const {
    auto it = items_.find(key);
    return it == items_.end() ? nullptr : &it->second;
  }
  bool contains(const K& key) const { return items_.count(key) != 0; }
  bool erase(const K& key) { return items_.erase(key) != 0; }
  auto erase(typename std::map<K, V>::iterator it) { return items_.erase(it); }
  void clear() { items_.clear(); }
  bool empty() const { return items_.empty(); }
  bool full() const { return items_.size() >= limit_; }
  size_t size() const { return items_.size(); }
  size_t limit() const { return limit_; }
  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  auto lower_bound(const K& key) { return items_.lower_bound(key); }

 private:
  size_t limit_;
  std::map<K, V> items_;
};

}  // namespace selvedge
