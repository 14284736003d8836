// Sealing under a passphrase, and memory for what comes out of it.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/locked.h"
#include "crypto/passphrase.h"

namespace selvedge::crypto {
namespace {

/// The least that is allowed, so that a test is quick.
constexpr PassphraseCost kCheap = {1, kPassphraseMemoryMinKib};

Drbg drbg_of(uint8_t byte) { return Drbg(Seed::from(Bytes(32, byte)).value()); }

TEST(PassphraseTest, OpensWithThePassphraseAndPurposeOnly) {
  Drbg drbg = drbg_of(1);
  const Bytes sealed = passphrase_seal(view("open sesame"), view("forty thieves"), "test", kCheap, drbg).value();
  EXPECT_EQ(sealed.size(), 13 + kPassphraseOverhead);
  EXPECT_EQ(to_string(passphrase_open(view("open sesame"), sealed, "test").value().view()), "forty thieves");
  EXPECT_EQ(passphrase_open(view("open sesamf"), sealed, "test").code(), Errc::kIntegrity);
  EXPECT_EQ(passphrase_open(view("open sesame"), sealed, "tess").code(), Errc::kIntegrity);
  EXPECT_EQ(passphrase_open({}, sealed, "test").code(), Errc::kInvalid);
  const Bytes again = passphrase_seal(view("open sesame"), view("forty thieves"), "test", kCheap, drbg).value();
  EXPECT_NE(sealed, again) << "fresh salt and nonce";
  const Bytes nothing = passphrase_seal(view("open sesame"), {}, "test", kCheap, drbg).value();
  EXPECT_EQ(passphrase_open(view("open sesame"), nothing, "test").value().size(), 0u);
}

TEST(PassphraseTest, EveryChangedByteIsRefused) {
  Drbg drbg = drbg_of(2);
  const Bytes sealed = passphrase_seal(view("p"), view("x"), "test", kCheap, drbg).value();
  for (size_t i = 0; i < sealed.size(); ++i) {
    Bytes bad = sealed;
    bad[i] ^= 1;  // in the cost, this asks for 8 MiB + 1 KiB, or for more than is allowed
    EXPECT_FALSE(passphrase_open(view("p"), bad, "test").ok()) << i;
  }
  for (size_t size = 0; size < kPassphraseOverhead; ++size) EXPECT_EQ(passphrase_open(view("p"), ByteView(sealed).first(size), "test").code(), Errc::kInvalid);
}

TEST(PassphraseTest, AHostileCostIsRefusedBeforeItIsSpent) {
  Drbg drbg = drbg_of(3);
  const Bytes sealed = passphrase_seal(view("p"), view("x"), "test", kCheap, drbg).value();
  const auto with = [&](uint32_t passes, uint32_t memory_kib) {
    Bytes out = sealed;
    store_u32(out.data() + 5, passes);
    store_u32(out.data() + 9, memory_kib);
    return out;
  };
  EXPECT_EQ(passphrase_open(view("p"), with(1, 100 * 1024 * 1024), "test").code(), Errc::kLimit) << "100 GB";
  EXPECT_EQ(passphrase_open(view("p"), with(1, UINT32_MAX), "test").code(), Errc::kLimit);
  EXPECT_EQ(passphrase_open(view("p"), with(UINT32_MAX, kPassphraseMemoryMinKib), "test").code(), Errc::kLimit);
  EXPECT_EQ(passphrase_open(view("p"), with(kPassphrasePassesMax + 1, kPassphraseMemoryMinKib), "test").code(), Errc::kLimit);
  EXPECT_EQ(passphrase_open(view("p"), with(0, kPassphraseMemoryMinKib), "test").code(), Errc::kLimit);
  EXPECT_EQ(passphrase_open(view("p"), with(1, 0), "test").code(), Errc::kLimit);
  Bytes later = sealed;
  later[4] = 2;
  EXPECT_EQ(passphrase_open(view("p"), later, "test").code(), Errc::kUnsupported);
  EXPECT_EQ(passphrase_seal(view("p"), view("x"), "test", {1, kPassphraseMemoryMaxKib + 1}, drbg).code(), Errc::kInvalid);
  EXPECT_EQ(passphrase_seal(view("p"), view("x"), "test", {0, kPassphraseMemoryMinKib}, drbg).code(), Errc::kInvalid);
  EXPECT_EQ(passphrase_seal(Bytes(kPassphraseSizeMax + 1, 'p'), view("x"), "test", kCheap, drbg).code(), Errc::kInvalid);
  EXPECT_EQ(passphrase_seal(view("p"), Bytes(kLockedSizeMax + 1), "test", kCheap, drbg).code(), Errc::kInvalid);
}

// req: A14
TEST(LockedTest, HoldsMovesAndShrinks) {
  LockedBytes first = LockedBytes::copy(view("a secret"), LockNeed::kWanted).value();
  LockedBytes second = std::move(first);
  EXPECT_EQ(to_string(second.view()), "a secret");
  EXPECT_EQ(first.size(), 0u);  // NOLINT: what a moved-from one holds is the question
  second.shrink(3);
  EXPECT_EQ(to_string(second.view()), "a s");
  EXPECT_EQ(second.view().data()[3], 0) << "what is cut off is wiped";
  second = LockedBytes::make(0, LockNeed::kWanted).value();
  EXPECT_EQ(second.size(), 0u);
  EXPECT_EQ(LockedBytes::make(kLockedSizeMax + 1, LockNeed::kWanted).code(), Errc::kInvalid);
  const LockedBytes fresh = LockedBytes::make(100, LockNeed::kWanted).value();
  for (const uint8_t byte : fresh.view()) EXPECT_EQ(byte, 0);
}

TEST(LockedTest, WritingPastTheEndStopsTheProcess) {
  EXPECT_DEATH(
      {
        LockedBytes bytes = LockedBytes::make(16, LockNeed::kWanted).value();
        static_cast<volatile uint8_t*>(bytes.mutable_view().data())[16] = 1;
      },
      "");
}

#ifndef __has_feature  // which only clang has
#define __has_feature(feature) 0
#endif
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)  // which replaces mlock() by one that does nothing and succeeds
// req: A14
TEST(LockedTest, SaysWhenTheSystemRefusesToLock) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none = {0, 0};
    if (setrlimit(RLIMIT_MEMLOCK, &none) != 0) _exit(10);
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(11);  // root may lock beyond any limit
    const Result<LockedBytes> required = LockedBytes::make(32, LockNeed::kRequired);
    if (required.ok()) _exit(12);
    if (required.code() != Errc::kLimit || required.error().message.find("ulimit -l") == std::string::npos) _exit(13);
    const Result<LockedBytes> wanted = LockedBytes::copy(view("still usable"), LockNeed::kWanted);
    if (!wanted.ok() || wanted->locked() || to_string(wanted->view()) != "still usable") _exit(14);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 10 || WEXITSTATUS(status) == 11) GTEST_SKIP() << "this process may not lower its own rights";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

}  // namespace
}  // namespace selvedge::crypto
