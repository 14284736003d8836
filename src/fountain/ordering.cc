#include "ordering.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "check.h"

namespace selvedge::fountain {
namespace {

// The state of one peeling run. Only LT columns take part: PI columns are inactive from the start.
class Peeler {
 public:
  Peeler(const CodeParams& params, const RowSet& rows);
  Ordering run();

 private:
  void build_column_lists();
  void start_rows();
  void remove_column(uint16_t column);
  void degree_changed(uint32_t row);
  void join_columns_of(uint32_t row);
  uint16_t find_root(uint16_t column);
  void peel();
  bool inactivate_in_largest_component();
  bool inactivate_in_lightest_row();
  void inactivate(uint16_t column);

  const CodeParams& params_;
  const RowSet& rows_;
  std::vector<uint32_t> list_offsets_;
  std::vector<uint32_t> list_rows_;
  std::vector<uint16_t> degree_;      // active columns left in a row
  std::vector<uint16_t> column_xor_;  // xor of them: names the last one without a search
  std::vector<uint8_t> active_;       // by column
  std::vector<uint8_t> is_pivot_;     // by row
  std::vector<uint32_t> ready_;       // rows that reached degree one
  std::vector<uint16_t> parent_;      // union-find over columns, joined by rows of degree two
  std::vector<uint16_t> size_;
  std::vector<std::pair<uint16_t, uint16_t>> components_;  // max-heap of (size, root); may hold stale ones
  Ordering out_;
};

Peeler::Peeler(const CodeParams& params, const RowSet& rows)
    : params_(params),
      rows_(rows),
      degree_(rows.lt_counts),
      column_xor_(rows.count(), 0),
      active_(params.w, 1),
      is_pivot_(rows.count(), 0),
      parent_(params.w),
      size_(params.w, 1) {
  std::iota(parent_.begin(), parent_.end(), uint16_t{0});
  out_.pivot_rows.reserve(params.w);
  out_.pivot_columns.reserve(params.w);
  for (uint32_t c = params.w; c < params.l; ++c) out_.inactive_columns.push_back(static_cast<uint16_t>(c));
}

void Peeler::build_column_lists() {
  list_offsets_.assign(params_.w + 1, 0);
  const uint32_t count = rows_.count();
  for (uint32_t r = 0; r < count; ++r) {
    for (const uint16_t c : rows_.lt_part(r)) {
      ++list_offsets_[c + 1u];
      column_xor_[r] = static_cast<uint16_t>(column_xor_[r] ^ c);
    }
  }
  for (uint32_t c = 0; c < params_.w; ++c) list_offsets_[c + 1] += list_offsets_[c];
  list_rows_.resize(list_offsets_[params_.w]);
  std::vector<uint32_t> next(list_offsets_.begin(), list_offsets_.end() - 1);
  for (uint32_t r = 0; r < count; ++r) {
    for (const uint16_t c : rows_.lt_part(r)) list_rows_[next[c]++] = r;
  }
}

void Peeler::start_rows() {
  for (uint32_t r = 0; r < rows_.count(); ++r) degree_changed(r);
}

uint16_t Peeler::find_root(uint16_t column) {
  while (parent_[column] != column) {
    parent_[column] = parent_[parent_[column]];
    column = parent_[column];
  }
  return column;
}

// A row of degree two is an edge between its two columns. Edges never have to be taken away: as soon as
// one column of a component goes, peeling takes the whole component.
void Peeler::join_columns_of(uint32_t row) {
  uint16_t first = 0;
  for (const uint16_t c : rows_.lt_part(row)) {
    if (active_[c]) {
      first = c;
      break;
    }
  }
  uint16_t a = find_root(first);
  uint16_t b = find_root(static_cast<uint16_t>(column_xor_[row] ^ first));
  if (a == b) return;
  if (size_[a] < size_[b]) std::swap(a, b);
  parent_[b] = a;
  size_[a] = static_cast<uint16_t>(size_[a] + size_[b]);
  components_.emplace_back(size_[a], a);
  std::push_heap(components_.begin(), components_.end());
}

void Peeler::degree_changed(uint32_t row) {
  const uint32_t degree = degree_[row];
  if (degree == 1) {
    ready_.push_back(row);
  } else if (degree == 2) {
    join_columns_of(row);
  }
}

void Peeler::remove_column(uint16_t column) {
  active_[column] = 0;
  for (uint32_t i = list_offsets_[column]; i < list_offsets_[column + 1u]; ++i) {
    const uint32_t row = list_rows_[i];
    --degree_[row];
    column_xor_[row] = static_cast<uint16_t>(column_xor_[row] ^ column);
    degree_changed(row);
  }
}

void Peeler::peel() {
  while (!ready_.empty()) {
    const uint32_t row = ready_.back();
    ready_.pop_back();
    if (degree_[row] != 1) continue;
    const uint16_t column = column_xor_[row];
    out_.pivot_rows.push_back(row);
    out_.pivot_columns.push_back(column);
    is_pivot_[row] = 1;
    remove_column(column);
  }
}

void Peeler::inactivate(uint16_t column) {
  out_.inactive_columns.push_back(column);
  remove_column(column);
}

// RFC 6330 5.4.2.2: with rows of degree two present, take one of the largest component: one inactive
// column then frees all the others of the component.
bool Peeler::inactivate_in_largest_component() {
  while (!components_.empty()) {
    const auto [size, root] = components_.front();
    std::pop_heap(components_.begin(), components_.end());
    components_.pop_back();
    if (!active_[root] || parent_[root] != root || size_[root] != size) continue;
    inactivate(root);
    return true;
  }
  return false;
}

// No row of degree two is left: take one of the least degree. Received symbols of the RFC's degree
// distribution never get here beyond a few symbols per block, so a scan beats any bookkeeping; a hostile
// choice of ESIs is stopped by kInactiveColumnsMax.
bool Peeler::inactivate_in_lightest_row() {
  uint32_t lightest = 0;
  uint32_t least = UINT32_MAX;
  for (uint32_t row = 0; row < rows_.count(); ++row) {
    if (degree_[row] != 0 && degree_[row] < least) {
      least = degree_[row];
      lightest = row;
    }
  }
  if (least == UINT32_MAX) return false;
  for (const uint16_t c : rows_.lt_part(lightest)) {
    if (degree_[lightest] == 1) break;
    if (active_[c]) inactivate(c);
  }
  return true;
}

Ordering Peeler::run() {
  build_column_lists();
  start_rows();
  do {
    peel();
  } while (out_.inactive_columns.size() <= kInactiveColumnsMax &&
           (inactivate_in_largest_component() || inactivate_in_lightest_row()));
  // A column that no row names can only be left to the dense system, which then reports the lack of rank;
  // so can all the rest when there are more inactive columns than a plan is made for.
  for (uint32_t c = 0; c < params_.w; ++c) {
    if (active_[c]) out_.inactive_columns.push_back(static_cast<uint16_t>(c));
  }
  for (uint32_t r = 0; r < rows_.count(); ++r) {
    if (!is_pivot_[r]) out_.leftover_rows.push_back(r);
  }
  FOUNTAIN_CHECK(out_.pivot_columns.size() + out_.inactive_columns.size() == params_.l);
  return std::move(out_);
}

}  // namespace

Ordering order_by_peeling(const CodeParams& params, const RowSet& rows) { return Peeler(params, rows).run(); }

Ordering order_by_patching(const Ordering& base, uint32_t base_row_count, const RowSet& rows,
                           std::span<const uint32_t> removed_rows) {
  std::vector<uint8_t> removed(base_row_count, 0);
  for (const uint32_t row : removed_rows) removed[row] = 1;
  Ordering out;
  out.inactive_columns = base.inactive_columns;
  out.pivot_rows.reserve(base.pivot_rows.size());
  out.pivot_columns.reserve(base.pivot_rows.size());
  for (size_t i = 0; i < base.pivot_rows.size(); ++i) {
    if (removed[base.pivot_rows[i]]) {
      out.inactive_columns.push_back(base.pivot_columns[i]);
    } else {
      out.pivot_rows.push_back(base.pivot_rows[i]);
      out.pivot_columns.push_back(base.pivot_columns[i]);
    }
  }
  for (const uint32_t row : base.leftover_rows) {
    if (!removed[row]) out.leftover_rows.push_back(row);
  }
  for (uint32_t row = base_row_count; row < rows.count(); ++row) out.leftover_rows.push_back(row);
  return out;
}

}  // namespace selvedge::fountain
