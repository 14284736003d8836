// What is another way in a browser than on a machine with an operating system: files of other rooms that are left out of the module have their place here.
#if defined(__wasm__)

#include <__verbose_abort>  // style: allow layer because this replaces a function of libc++, where the library allows it
#include <sodium/crypto_hash_sha256.h>

#include "base/check.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "mesh/zstd.h"

extern "C" __attribute__((import_module("env"), import_name("tab_bug"))) void tab_bug(const char* what, size_t size);

namespace selvedge {

// base/check.cc: there is no standard error, and printing to it is larger than much of what is checked.
void check_failed(const char* condition, const char* message, const char* file, int line) {
  const std::string text = std::string("CHECK(") + condition + ") failed at " + file + ":" + std::to_string(line) + " " + message;
  tab_bug(text.data(), text.size());
  __builtin_trap();
}

}  // namespace selvedge

namespace selvedge::crypto {

// crypto/sha256.cc: one library of cryptography is fetched, and it has no SHA instructions to use.
static crypto_hash_sha256_state* context(std::array<uint8_t, 128>& state) { return reinterpret_cast<crypto_hash_sha256_state*>(state.data()); }
static_assert(sizeof(crypto_hash_sha256_state) <= 128 && alignof(crypto_hash_sha256_state) <= 8);

Sha256::Sha256() { crypto_hash_sha256_init(context(state_)); }

Sha256& Sha256::update(ByteView data) {
  if (!data.empty()) crypto_hash_sha256_update(context(state_), data.data(), data.size());
  return *this;
}

Digest Sha256::finish() {
  Digest out;
  crypto_hash_sha256_final(context(state_), out.bytes.data());
  crypto_hash_sha256_init(context(state_));
  return out;
}

// crypto/p256.cc: what a security chip attests cannot be checked here, so it counts as not attested.
bool p256_verify(const P256Point&, const Digest&, const P256Signature&) { return false; }

}  // namespace selvedge::crypto

namespace selvedge::mesh {

// mesh/zstd.cc: a tab's Hello names no compression (mesh/pack.h), so nobody sends it what is packed.
Bytes zstd_pack(ByteView) { return {}; }
Result<Bytes> zstd_unpack(ByteView, size_t) { return fail(Errc::kUnsupported, "a browser's node has no zstd"); }

}  // namespace selvedge::mesh

void std::__libcpp_verbose_abort(const char*, ...) { __builtin_trap(); }

extern "C" {

// libsodium: there is nothing to choose from, and all randomness is handed in (crypto/drbg.h).
int sodium_init() { return 1; }
[[noreturn]] void sodium_misuse() { __builtin_trap(); }
void randombytes_buf(void*, size_t) { __builtin_trap(); }
void randombytes_stir() {}
uint32_t randombytes_random() { __builtin_trap(); }
uint32_t randombytes_uniform(uint32_t) { __builtin_trap(); }

}  // extern "C"

#endif
