// The few inner loops of the codec, over strips of symbols.
//
// A strip is a slice of every symbol, 64 or 128 bytes wide (wider ones were measured: executor.cc). Scratch rows lie packed one
// after another (row i at base + i * width, base 64-byte aligned), so that the working set of a strip
// fits the L2 cache; input symbols are read where the caller keeps them.
//
// Each instruction set is one translation unit built with its own flags; kernels_for() picks one at run
// time. The units include no standard template, so that no wide-register copy of a shared
// inline function can leak into the rest of the program.
#pragma once

#include <cstddef>
#include <cstdint>

namespace selvedge::fountain {

inline constexpr size_t kLaneBytes = 64;
inline constexpr uint32_t kWidthVariants = 2;      // widths 64 and 128 bytes
inline constexpr uint16_t kNoInput = 0xFFFF;       // GatherOp.input: starts from zero
inline constexpr uint32_t kOctetTile = 8;          // outputs of OctetArgs come in tiles of this many
inline constexpr uint32_t kBitGroupsPerBatch = 4;  // operand groups that BitsArgs folds in per pass

// destination row = input symbol + `count` scratch rows (+ `extra` more in a full pass).
struct GatherOp {
  uint32_t destination;
  uint16_t input;
  uint8_t count;
  uint8_t extra;
};

struct GatherArgs {
  const uint8_t* rows;           // scratch rows that sources index
  uint8_t* destinations;         // rows that destinations index (may be the same memory)
  const uint8_t* const* inputs;  // null pointer: a zero symbol
  size_t input_offset;           // of this strip inside every input symbol
  const GatherOp* ops;
  size_t op_count;
  const uint16_t* sources;  // count + extra entries an op
  uint32_t use_extra;       // 0 or 1
};

// RFC 6330 5.3.3.3: (HDPC rows) x (intermediate symbols) by Horner's rule. For each column in turn
// acc = alpha * acc + row; acc is added to the two destinations of the column. The last column goes to
// destination i with the factor alpha^i.
struct HornerArgs {
  const uint8_t* rows;
  const uint16_t* columns;  // scratch row of each column
  const uint8_t* pairs;     // two destinations a column but the last
  size_t column_count;
  uint8_t* destinations;  // h rows, overwritten
  uint32_t h;
};

// destination f = sum over j of coefficient[j * padded + f] * row j.
struct OctetArgs {
  const uint8_t* rows;
  size_t row_count;
  const uint8_t* coefficients;  // padded = output_count rounded up to kOctetTile
  uint8_t* destinations;
  uint32_t output_count;
};

// destination o += sum of the rows that the bits of output o select; the bits come as table indices of
// `window` bits: indices[(batch * output_count + o) * kBitGroupsPerBatch + group].
struct BitsArgs {
  const uint8_t* rows;
  size_t row_count;
  const uint8_t* indices;
  uint32_t window;
  uint8_t* table;  // room for kBitGroupsPerBatch << window rows
  uint8_t* destinations;
  size_t output_count;
};

struct Kernels {
  const char* name;
  void (*gather[kWidthVariants])(const GatherArgs&);
  void (*horner[kWidthVariants])(const HornerArgs&);
  void (*octet[kWidthVariants])(const OctetArgs&);
  void (*bits[kWidthVariants])(const BitsArgs&);
};

// One function a unit. Null where the unit is not built for this architecture; what is built may still need
// a newer processor than this one, so use kernels_of (executor.h).
const Kernels* kernels_scalar_built();
const Kernels* kernels_ssse3_built();
const Kernels* kernels_avx2_built();
const Kernels* kernels_avx512_built();       // F and BW
const Kernels* kernels_avx512_gfni_built();  // and GFNI
const Kernels* kernels_neon_built();
const Kernels* kernels_wasm_built();

}  // namespace selvedge::fountain
