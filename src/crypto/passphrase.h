// Sealing under a passphrase: for keys and shares that leave a machine as a file or on paper.
//
// argon2id makes each guess cost time and memory, XChaCha20-Poly1305 seals. The cost lies in the file, so that it can grow without
// breaking old files, and is held between bounds before any of it is spent: a file from a stranger cannot ask for 100 GB. The
// format is in docs/spec/secrets.md. Invariants: salt and nonce are fresh; every byte of the file and the purpose are authenticated; the key
// and the passphrase are in no copy of ours that is not wiped.
#pragma once

#include "crypto/drbg.h"
#include "crypto/locked.h"

namespace selvedge::crypto {

inline constexpr size_t kPassphraseSizeMax = 1024;
inline constexpr uint32_t kPassphrasePassesMax = 16;
inline constexpr uint32_t kPassphraseMemoryMinKib = 8 * 1024;
/// 1 GiB: what a small board may still have. At 16 passes a hostile file costs some seconds and no more.
inline constexpr uint32_t kPassphraseMemoryMaxKib = 1024 * 1024;
/// What a file is longer than what it seals.
inline constexpr size_t kPassphraseOverhead = 4 + 1 + 4 + 4 + 16 + 24 + 16;

struct PassphraseCost {
  uint32_t passes = 3;
  uint32_t memory_kib = 256 * 1024;
};

/// Seals `plaintext` (at most kLockedSizeMax). `purpose` says what the file is, and must be said again to open it.
/// Errors: kInvalid for an empty or overlong passphrase or a cost out of bounds, kLimit when the memory is not to be had.
Result<Bytes> passphrase_seal(ByteView passphrase, ByteView plaintext, std::string_view purpose, const PassphraseCost& cost, Drbg& drbg);

/// What opening this file will cost. Errors: kInvalid for what is no such file, kUnsupported for a later version, kLimit for a cost out of bounds.
Result<PassphraseCost> passphrase_cost(ByteView sealed);

/// Errors: kInvalid for what is no such file, kUnsupported for a later version, kLimit for a cost out of bounds or memory that is not to be had,
/// kIntegrity for a wrong passphrase, another purpose or a damaged file, which cannot be told apart.
Result<LockedBytes> passphrase_open(ByteView passphrase, ByteView sealed, std::string_view purpose);

}  // namespace selvedge::crypto
