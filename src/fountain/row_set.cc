#include "row_set.h"

namespace selvedge::fountain {

void RowSet::reserve(const CodeParams& params, uint32_t lt_rows) {
  constexpr size_t kAverageLtDegree = 8;
  const size_t rows = size_t{params.s} + lt_rows;
  offsets.reserve(rows + 1);
  lt_counts.reserve(rows);
  columns.reserve(size_t{3} * params.b + size_t{3} * params.s + kAverageLtDegree * lt_rows);
}

// RFC 6330 5.3.3.3: the first S rows.
void RowSet::append_ldpc(const CodeParams& params) {
  std::vector<std::vector<uint16_t>> rows(params.s);
  for (uint32_t i = 0; i < params.b; ++i) {
    const uint32_t a = (1 + i / params.s) % params.s;
    uint32_t b = i % params.s;
    for (int step = 0; step < 3; ++step) {
      rows[b].push_back(static_cast<uint16_t>(i));
      b += a;
      if (b >= params.s) b -= params.s;
    }
  }
  for (uint32_t i = 0; i < params.s; ++i) {
    rows[i].push_back(static_cast<uint16_t>(params.b + i));
    lt_counts.push_back(static_cast<uint16_t>(rows[i].size()));
    rows[i].push_back(static_cast<uint16_t>(params.w + i % params.p));
    rows[i].push_back(static_cast<uint16_t>(params.w + (i + 1) % params.p));
    columns.insert(columns.end(), rows[i].begin(), rows[i].end());
    offsets.push_back(static_cast<uint32_t>(columns.size()));
  }
}

void RowSet::append_lt(const CodeParams& params, uint32_t isi) {
  LtRow row;
  lt_row(params, isi, row);
  columns.insert(columns.end(), row.columns.begin(), row.columns.begin() + row.total_count);
  lt_counts.push_back(static_cast<uint16_t>(row.lt_count));
  offsets.push_back(static_cast<uint32_t>(columns.size()));
}

void RowSet::append_encode_rows(const CodeParams& params) {
  reserve(params, params.k_prime);
  append_ldpc(params);
  for (uint32_t isi = 0; isi < params.k_prime; ++isi) append_lt(params, isi);
}

}  // namespace selvedge::fountain
