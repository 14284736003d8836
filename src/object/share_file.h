// Share files: a secret split into files that any k of which give it back, without any node (docs/spec/secrets.md).
//
// For a key that is kept on paper, on sticks, with friends. Each file is text: it says to people what it is, and holds one Shamir share, the
// sealed secret and the commitments that name a share that was changed. k - 1 files say nothing about the secret but its size.
#pragma once

#include <span>
#include <string>

#include "object/secret.h"

namespace selvedge::object {

inline constexpr size_t kShareFileSizeMax = 256 * 1024;

/// One file, taken apart. `terms` and `sealed` are the same in all files of one split.
struct ShareFile {
  SecretId secret;
  std::string name;
  crypto::ShamirTerms terms;
  Bytes sealed;
  crypto::ShamirShare share;
};

/// The texts of n files, number 1 first. Errors: kInvalid (name, k, n), kLimit (larger than kSecretSizeMax).
Result<std::vector<std::string>> make_share_files(std::string_view name, ByteView secret, size_t k, size_t n, crypto::Drbg& drbg);
/// Errors: kInvalid, kNonCanonical, kUnsupported (a later version), kLimit, kIntegrity (the share was changed).
Result<ShareFile> parse_share_file(std::string_view text);
/// The secret, from at least k distinct files of one split. Errors: kInvalid (files of different splits), kUnavailable (too few), kIntegrity.
Result<crypto::LockedBytes> combine_share_files(std::span<const ShareFile> files);

}  // namespace selvedge::object
