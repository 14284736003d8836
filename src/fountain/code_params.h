// Everything RFC 6330 derives from K' alone, and the generator of the rows of the code.
//
// A row of the code is the list of intermediate symbols C[0..L-1] that are xored to make one encoding
// symbol. Columns 0..W-1 are the LT symbols, W..L-1 the permanently inactive (PI) symbols.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace selvedge::fountain {

inline constexpr uint32_t kSourceSymbolsMax = 56403;  // RFC 6330 4.4.1.2, K'_max
inline constexpr uint32_t kHdpcRowsMax = 16;          // largest H in Table 2
inline constexpr uint32_t kRowDegreeMax = 30 + 3;     // Table 1 plus at most three PI columns

// RFC 6330 5.3.3.3 and 5.3.5: sizes of the parts of the intermediate block.
struct CodeParams {
  uint32_t k_prime;  // source symbols with padding
  uint32_t j;        // systematic index
  uint32_t s;        // LDPC rows
  uint32_t h;        // HDPC rows
  uint32_t w;        // LT columns
  uint32_t l;        // all intermediate symbols: K' + S + H
  uint32_t p;        // PI columns: L - W
  uint32_t p1;       // smallest prime >= P
  uint32_t b;        // LT columns that are not LDPC columns: W - S

  // The parameters for the smallest K' >= k; nullopt unless 1 <= k <= 56403.
  static std::optional<CodeParams> for_source_symbols(uint32_t k);
};

// RFC 6330 5.3.5.1
uint32_t rfc_random(uint32_t y, uint32_t i, uint32_t m);

// RFC 6330 5.3.5.2
uint32_t rfc_degree(uint32_t v, uint32_t w);

// The columns of one encoding symbol, LT columns first. Filled by lt_row.
struct LtRow {
  std::array<uint16_t, kRowDegreeMax> columns;
  uint32_t lt_count;     // columns[0, lt_count) are < W
  uint32_t total_count;  // columns[lt_count, total_count) are >= W
};

// RFC 6330 5.3.5.3 and 5.3.5.4: the row of internal symbol id `isi`. The columns are distinct.
void lt_row(const CodeParams& params, uint32_t isi, LtRow& row);

}  // namespace selvedge::fountain
