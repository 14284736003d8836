// Tables, field arithmetic, kernels of every instruction set this machine has, and the solver's parts.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "fountain/bit_rows.h"
#include "fountain/code_params.h"
#include "fountain/dense_solver.h"
#include "fountain/gf256.h"
#include "fountain/kernels.h"
#include "fountain/ordering.h"
#include "fountain/plan_cache.h"
#include "fountain/row_set.h"
#include "fountain/tables.h"
#include "fountain/test_support.h"

namespace selvedge::fountain {
namespace {

using test::SplitMix64;

bool is_prime(uint32_t n) {
  for (uint32_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return n > 1;
}

TEST(FountainTables, SystematicRowsAreSane) {
  EXPECT_EQ(kSystematicRows.front().k_prime, 10u);
  EXPECT_EQ(kSystematicRows.back().k_prime, kSourceSymbolsMax);
  for (size_t i = 0; i < kSystematicRows.size(); ++i) {
    const SystematicRow& row = kSystematicRows[i];
    EXPECT_TRUE(is_prime(row.s)) << row.k_prime;
    EXPECT_TRUE(is_prime(row.w)) << row.k_prime;
    EXPECT_LE(row.j, 1000u);
    EXPECT_GE(row.h, 10u);
    EXPECT_LE(row.h, kHdpcRowsMax);
    const CodeParams params = *CodeParams::for_source_symbols(row.k_prime);
    EXPECT_EQ(params.k_prime, row.k_prime);
    EXPECT_GE(params.p, params.h);  // HDPC identity columns are PI columns
    EXPECT_GT(params.b, 0u);
    EXPECT_TRUE(is_prime(params.p1));
    if (i == 0) continue;
    EXPECT_GT(row.k_prime, kSystematicRows[i - 1].k_prime);
    EXPECT_GE(row.s, kSystematicRows[i - 1].s);
    EXPECT_GE(row.h, kSystematicRows[i - 1].h);
    EXPECT_GE(row.w, kSystematicRows[i - 1].w);
    EXPECT_EQ(CodeParams::for_source_symbols(kSystematicRows[i - 1].k_prime + 1u)->k_prime, row.k_prime);
  }
  EXPECT_FALSE(CodeParams::for_source_symbols(0));
  EXPECT_FALSE(CodeParams::for_source_symbols(kSourceSymbolsMax + 1));
}

TEST(FountainTables, DegreeBoundaries) {
  constexpr uint32_t kWide = 1000;
  EXPECT_EQ(rfc_degree(0, kWide), 1u);
  EXPECT_EQ(rfc_degree(5242, kWide), 1u);
  EXPECT_EQ(rfc_degree(5243, kWide), 2u);
  EXPECT_EQ(rfc_degree(529530, kWide), 2u);
  EXPECT_EQ(rfc_degree(529531, kWide), 3u);
  EXPECT_EQ(rfc_degree(1017662, kWide), 30u);
  EXPECT_EQ(rfc_degree(1048575, kWide), 30u);
  EXPECT_EQ(rfc_degree(1048575, 17), 15u);  // min(d, W - 2)
}

// The systematic index J(K') is right only if the K' source rows have full rank: an error anywhere in
// Table 2 would be likely to show here, for every row of the table that is cheap to try.
TEST(FountainTables, EverySmallEncodeSystemIsSolvable) {
  for (const SystematicRow& row : kSystematicRows) {
    if (row.k_prime > 3000 && row.k_prime % 16 != 0) continue;
    const auto plan = make_encode_plan(*CodeParams::for_source_symbols(row.k_prime), *kernels_for(std::nullopt));
    ASSERT_NE(plan, nullptr);
    EXPECT_LT(plan->plan.layout.inactive, row.k_prime + 100u);
  }
}

TEST(FountainTables, LtRowsHaveDistinctColumns) {
  SplitMix64 random(3);
  for (const SystematicRow& table_row : kSystematicRows) {
    const CodeParams params = *CodeParams::for_source_symbols(table_row.k_prime);
    for (int i = 0; i < 20; ++i) {
      LtRow row;
      lt_row(params, random.below(1u << 24), row);
      std::vector<uint16_t> columns(row.columns.begin(), row.columns.begin() + row.total_count);
      for (uint32_t c = 0; c < row.total_count; ++c) EXPECT_EQ(columns[c] < params.w, c < row.lt_count);
      std::sort(columns.begin(), columns.end());
      EXPECT_EQ(std::unique(columns.begin(), columns.end()), columns.end());
      EXPECT_LT(columns.back(), params.l);
    }
  }
}

TEST(FountainField, TablesAgreeWithLongMultiplication) {
  EXPECT_EQ(gf_alpha(0), 1u);
  EXPECT_EQ(gf_alpha(1), 2u);
  EXPECT_EQ(gf_alpha(8), 29u);     // RFC 6330 5.7.3, OCT_EXP[8]
  EXPECT_EQ(gf_alpha(254), 142u);  // OCT_EXP[254]
  EXPECT_EQ(kGf.log[255], 175u);   // OCT_LOG of 255
  for (uint32_t a = 0; a < 256; ++a) {
    for (uint32_t b = 0; b < 256; ++b) {
      uint32_t product = 0;
      for (uint32_t bit = 0; bit < 8; ++bit) product ^= ((b >> bit) & 1) != 0 ? a << bit : 0;
      for (uint32_t bit = 15; bit >= 8; --bit) product ^= ((product >> bit) & 1) != 0 ? kGfPolynomial << (bit - 8) : 0;
      ASSERT_EQ(gf_mul(static_cast<uint8_t>(a), static_cast<uint8_t>(b)), product);
    }
    if (a != 0) {
      EXPECT_EQ(gf_mul(static_cast<uint8_t>(a), gf_inv(static_cast<uint8_t>(a))), 1u);
    }
  }
}

std::vector<const Kernels*> usable_kernels() {
  std::vector<const Kernels*> out;
  for (const Kernel kernel : kKernels) {
    if (kernels_of(kernel) != nullptr) out.push_back(kernels_of(kernel));
  }
  return out;
}

class FountainKernels : public testing::TestWithParam<uint32_t> {
 protected:
  static constexpr size_t kRows = 40;
  size_t width() const { return kLaneBytes << GetParam(); }
  std::vector<uint8_t> rows_ = test::make_object(1, kRows* width());
  uint8_t at(size_t row, size_t byte) const { return rows_[row * width() + byte]; }
};

TEST_P(FountainKernels, Gather) {
  SplitMix64 random(2);
  const std::vector<uint8_t> input = test::make_object(9, width() + 5);
  const std::vector<const uint8_t*> inputs{input.data(), nullptr};
  std::vector<GatherOp> ops;
  std::vector<uint16_t> sources;
  for (uint32_t i = 0; i < 30; ++i) {
    const uint8_t count = static_cast<uint8_t>(random.below(6));
    const uint8_t extra = static_cast<uint8_t>(random.below(3));
    ops.push_back(GatherOp{i, static_cast<uint16_t>(i % 3 == 2 ? kNoInput : i % 3), count, extra});
    for (int s = 0; s < count + extra; ++s) sources.push_back(static_cast<uint16_t>(random.below(kRows)));
  }
  for (const uint32_t use_extra : {0u, 1u}) {
    for (const Kernels* kernels : usable_kernels()) {
      std::vector<uint8_t> out(ops.size() * width());
      GatherArgs args{rows_.data(), out.data(), inputs.data(), 5, ops.data(), ops.size(), sources.data(), use_extra};
      kernels->gather[GetParam()](args);
      size_t source = 0;
      for (const GatherOp& op : ops) {
        for (size_t b = 0; b < width(); ++b) {
          uint8_t want = op.input == 0 ? input[5 + b] : 0;
          for (uint32_t s = 0; s < op.count + (use_extra ? op.extra : 0u); ++s) want ^= at(sources[source + s], b);
          ASSERT_EQ(out[op.destination * width() + b], want) << kernels->name;
        }
        source += op.count + op.extra;
      }
    }
  }
}

TEST_P(FountainKernels, HornerIsTheMatrixOfTheRfc) {
  // RFC 6330 5.3.3.3: MT * GAMMA with GAMMA[i][j] = alpha^(i - j), i >= j.
  constexpr uint32_t kH = 10;
  SplitMix64 random(4);
  std::vector<uint16_t> columns(kRows);
  std::vector<uint8_t> pairs(2 * kRows);
  for (size_t j = 0; j < kRows; ++j) {
    columns[j] = static_cast<uint16_t>(random.below(kRows));
    pairs[2 * j] = static_cast<uint8_t>(random.below(kH));
    pairs[2 * j + 1] = static_cast<uint8_t>((pairs[2 * j] + 1 + random.below(kH - 1)) % kH);
  }
  for (const Kernels* kernels : usable_kernels()) {
    std::vector<uint8_t> out(kH * width());
    kernels->horner[GetParam()](HornerArgs{rows_.data(), columns.data(), pairs.data(), kRows, out.data(), kH});
    for (uint32_t h = 0; h < kH; ++h) {
      std::vector<uint8_t> want(width(), 0);
      for (size_t i = 0; i < kRows; ++i) {
        const uint8_t mt = i + 1 == kRows ? gf_alpha(h) : pairs[2 * i] == h || pairs[2 * i + 1] == h;
        for (size_t j = 0; mt != 0 && j <= i; ++j) {
          const uint8_t factor = gf_mul(mt, gf_alpha(static_cast<uint32_t>(i - j)));
          for (size_t b = 0; b < width(); ++b) want[b] ^= gf_mul(factor, at(columns[j], b));
        }
      }
      ASSERT_TRUE(std::equal(want.begin(), want.end(), out.begin() + static_cast<ptrdiff_t>(h * width())))
          << kernels->name;
    }
  }
}

TEST_P(FountainKernels, Octets) {
  for (const uint32_t outputs : {1u, 8u, 11u}) {
    const size_t padded = (outputs + kOctetTile - 1) / kOctetTile * kOctetTile;
    const std::vector<uint8_t> coefficients = test::make_object(outputs, padded * kRows);
    for (const Kernels* kernels : usable_kernels()) {
      std::vector<uint8_t> out(outputs * width());
      kernels->octet[GetParam()](OctetArgs{rows_.data(), kRows, coefficients.data(), out.data(), outputs});
      for (uint32_t f = 0; f < outputs; ++f) {
        for (size_t b = 0; b < width(); ++b) {
          uint8_t want = 0;
          for (size_t j = 0; j < kRows; ++j) want ^= gf_mul(at(j, b), coefficients[j * padded + f]);
          ASSERT_EQ(out[f * width() + b], want) << kernels->name;
        }
      }
    }
  }
}

TEST_P(FountainKernels, Bits) {
  SplitMix64 random(8);
  for (const size_t outputs : {1u, 3u, 20u, 200u}) {
    for (const size_t operands : {1u, 7u, 39u}) {
      BitRows bits(outputs, operands);
      for (size_t o = 0; o < outputs; ++o) {
        for (size_t k = 0; k < operands; ++k) {
          if (random.below(2) != 0) bits_flip(bits.row(o), k);
        }
      }
      const BitProgram program = make_bit_program(bits, 0, outputs, operands);
      for (const Kernels* kernels : usable_kernels()) {
        std::vector<uint8_t> out(outputs * width(), 0x5A);
        std::vector<uint8_t> table((size_t{kBitGroupsPerBatch} << program.window) * width());
        kernels->bits[GetParam()](BitsArgs{rows_.data(), operands, program.indices.data(), program.window, table.data(),
                                           out.data(), outputs});
        for (size_t o = 0; o < outputs; ++o) {
          std::vector<uint8_t> want(width(), 0x5A);
          for (size_t k = 0; k < operands; ++k) {
            if (!bits_test(bits.row(o), k)) continue;
            for (size_t b = 0; b < width(); ++b) want[b] ^= at(k, b);
          }
          ASSERT_TRUE(std::equal(want.begin(), want.end(), out.begin() + static_cast<ptrdiff_t>(o * width())))
              << kernels->name;
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, FountainKernels, testing::Range(0u, kWidthVariants));

TEST(FountainSolver, BinaryEliminatorSolves) {
  SplitMix64 random(6);
  for (const uint32_t n : {1u, 5u, 64u, 65u, 130u}) {
    BinaryEliminator eliminator(n);
    std::vector<std::vector<bool>> accepted;
    for (uint32_t r = 0; r + 2 < n + 5; ++r) {
      BitRows row(1, n);
      std::vector<bool> plain(n);
      for (uint32_t c = 0; c < n; ++c) {
        plain[c] = random.below(2) != 0 && c % 17 != 3;  // some columns are never named: they stay free
        if (plain[c]) bits_flip(row.row(0), c);
      }
      if (eliminator.add(row.row(0))) accepted.push_back(plain);
    }
    ASSERT_EQ(accepted.size(), eliminator.rank());
    const std::vector<uint32_t> free = eliminator.free_columns();
    const uint32_t rank = eliminator.rank();
    ASSERT_EQ(free.size() + rank, n);
    const BitRows solution = eliminator.solution();
    // Row a of the accepted system, applied to the solution, gives back slot a alone.
    for (uint32_t a = 0; a < rank; ++a) {
      for (uint32_t operand = 0; operand < n; ++operand) {
        bool sum = false;
        for (uint32_t c = 0; c < n; ++c) sum ^= accepted[a][c] && bits_test(solution.row(c), operand);
        EXPECT_EQ(sum, operand == a);
      }
    }
  }
}

TEST(FountainSolver, BitsMultiplyBothWays) {
  SplitMix64 random(12);
  const size_t operands = 131;
  BitRows right(operands, 200);
  for (size_t r = 0; r < operands; ++r) {
    for (size_t w = 0; w < right.words(); ++w) right.row(r)[w] = random.next();
  }
  BitRows left(200, operands);
  for (size_t r = 0; r < 200; ++r) {
    for (size_t k = 0; k < operands; ++k) {
      if (random.below(2) != 0) bits_flip(left.row(r), k);
    }
  }
  BitRows by_tables(200, 200);
  bits_multiply(left, 200, right, operands, by_tables);
  BitRows by_adding(20, 200);
  bits_multiply(left, 20, right, operands, by_adding);
  for (size_t r = 0; r < 20; ++r) EXPECT_TRUE(std::equal(by_adding.row(r), by_adding.row(r) + 4, by_tables.row(r)));
}

TEST(FountainSolver, WidenAndWindow) {
  SplitMix64 random(13);
  for (int i = 0; i < 100; ++i) {
    const uint64_t words[2] = {random.next(), random.next()};
    uint8_t octets[64];
    bits_widen(words[0], octets);
    for (uint32_t b = 0; b < 64; ++b) EXPECT_EQ(octets[b], (words[0] >> b) & 1);
    const uint32_t bit = random.below(125);
    const uint32_t value = bits_window(words, 2, bit, 7);
    for (uint32_t b = 0; b < 7; ++b) EXPECT_EQ((value >> b) & 1, bit + b < 128 && bits_test(words, bit + b) ? 1u : 0u);
  }
}

TEST(FountainSolver, OrderingIsTriangular) {
  const CodeParams params = *CodeParams::for_source_symbols(1000);
  const auto plan = make_encode_plan(params, *kernels_for(std::nullopt));
  EXPECT_LT(plan->plan.layout.inactive, 110u);
  std::vector<uint8_t> known(params.l, 0);
  for (const uint16_t c : plan->ordering.inactive_columns) known[c] = 1;
  for (size_t i = 0; i < plan->ordering.pivot_rows.size(); ++i) {
    bool has_own = false;
    for (const uint16_t c : plan->rows.row(plan->ordering.pivot_rows[i])) {
      has_own |= c == plan->ordering.pivot_columns[i];
      EXPECT_TRUE(known[c] || c == plan->ordering.pivot_columns[i]);
    }
    EXPECT_TRUE(has_own);
    known[plan->ordering.pivot_columns[i]] = 1;
  }
}

}  // namespace
}  // namespace selvedge::fountain
