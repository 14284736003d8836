// The record of a symbol file (its layout: fountain_files.h), and the reading and writing that both directions share.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cli/fountain_files.h"
#include "crypto/hash.h"

namespace selvedge::cli {

constexpr size_t kPayloadDigestBytes = 16;

struct SymbolHeader {
  fountain::ObjectParams params;
  uint32_t block = 0;
  uint32_t esi = 0;
  std::array<uint8_t, 8> object_tag{};
  crypto::Digest block_digest;

  /// The header without the payload's digest and its own check, which write_record adds.
  Bytes bytes() const;
  /// OTI and tag in hexadecimal: what `--object` takes.
  std::string object_id() const;
};

/// A header as it was read.
struct SymbolRecord {
  SymbolHeader header;
  std::array<uint8_t, kPayloadDigestBytes> payload_digest{};
};
/// Nothing for anything but kSymbolHeaderBytes that are a header of a symbol that can exist.
std::optional<SymbolRecord> parse_symbol_header(ByteView bytes);
std::array<uint8_t, kPayloadDigestBytes> payload_digest(ByteView payload);

/// Appends header and payload to the file. Errors: kIo.
Status write_record(int fd, const Bytes& header, ByteView payload, const std::string& where);
/// Errors: kIo, also when the file ends early.
Status read_exactly(int fd, uint64_t offset, std::span<uint8_t> out, const std::string& path);
/// Names of the symbol files in a folder, sorted. Errors: kNotFound, kIo.
Result<std::vector<std::string>> symbol_file_names(const std::string& dir);

}  // namespace selvedge::cli
