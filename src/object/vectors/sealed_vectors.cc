// docs/spec/vectors/sealed.json: things sealed to one device's X25519 key. The seed of the recipient is given, so that a reader can open
// them, and the seed of the ephemeral key, so that a writer can make them.
#include "object/sealed.h"
#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using testing::seed_of;

constexpr const char* kRecipient = "machine seal";

Json sealed_case(std::string_view generator, ByteView plaintext, ByteView context) {
  const crypto::SealKeyPair recipient(seed_of(kRecipient));
  crypto::Drbg drbg(seed_of(generator));
  // The first 32 bytes of the same generator are the ephemeral key that seal_to() draws.
  const crypto::Seed ephemeral = crypto::Drbg(seed_of(generator)).seed();
  const Bytes sealed = seal_to(recipient.public_key(), plaintext, context, drbg).value();
  CHECK(open_sealed(recipient, sealed, context).value() == to_bytes(plaintext));
  return record({{"recipient_seed", seed_of(kRecipient).view()},
                 {"recipient", recipient.public_key()},
                 {"ephemeral_seed", ephemeral.view()},
                 {"ephemeral", crypto::SealKeyPair(ephemeral.clone()).public_key()},
                 {"context", context},
                 {"plaintext", plaintext},
                 {"sealed", sealed}});
}

std::vector<Json> opened_cases() {
  std::vector<Json> out;
  out.push_back(sealed_case("sealed 1", view("hello"), view("a context")));
  out.push_back(sealed_case("sealed 2", {}, {}));
  out.push_back(sealed_case("sealed 3", Bytes(300, 0x5a), view("selvedge")));
  return out;
}

std::vector<Json> refused_cases() {
  const crypto::SealKeyPair recipient(seed_of(kRecipient));
  crypto::Drbg drbg(seed_of("sealed 1"));
  const Bytes good = seal_to(recipient.public_key(), view("hello"), view("a context"), drbg).value();
  std::vector<Json> out;
  const auto add = [&out](const char* seed, const Bytes& sealed, std::string_view context, const char* why) {
    const auto opened = open_sealed(crypto::SealKeyPair(seed_of(seed)), sealed, view(context));
    CHECK(!opened.ok());
    out.push_back(record({{"recipient_seed", seed_of(seed).view()}, {"context", view(context)}, {"sealed", sealed}, {"expect", expectation(opened)}, {"why", why}}));
  };
  const auto changed = [&good](size_t at, uint8_t mask) {
    Bytes bytes = good;
    bytes[at] ^= mask;
    return bytes;
  };
  // d0 83 58 4e | a3 01 18 18 04 58 20 recipient 3a 00 01 00 00 58 20 ephemeral | a0 | 55 ciphertext tag
  add("another device", good, "a context", "sealed to another device");
  add(kRecipient, good, "another context", "sealed for another use");
  add(kRecipient, changed(good.size() - 1, 1), "a context", "the tag was changed");
  add(kRecipient, changed(good.size() - 17, 1), "a context", "the ciphertext was changed");
  add(kRecipient, changed(11, 1), "a context", "the recipient's key was changed");
  add(kRecipient, changed(4 + 46, 1), "a context", "the ephemeral key was changed");
  add(kRecipient, changed(0, 2), "a context", "tag 18 in place of 16");
  add(kRecipient, changed(4, 1), "a context", "two entries in the header");
  add(kRecipient, changed(7, 1), "a context", "another algorithm");
  add(kRecipient, changed(8, 1), "a context", "no recipient");
  add(kRecipient, changed(4 + 43, 1), "a context", "no ephemeral key");
  add(kRecipient, Bytes(good.begin(), good.end() - 1), "a context", "the last byte is missing");
  Bytes longer = good;
  longer.push_back(0);
  add(kRecipient, longer, "a context", "a byte follows");
  const auto rebuilt = [](ByteView header, bool carries, ByteView body) {
    codec::Writer w;
    w.put_tag(16);
    w.put_array(3);
    w.put_bytes(header);
    w.put_map(carries ? 1 : 0);
    if (carries) w.put_unsigned(5), w.put_null();
    w.put_bytes(body);
    return w.take();
  };
  const ByteView header = ByteView(good).subspan(4, 78);
  CHECK(rebuilt(header, false, ByteView(good).subspan(84)) == good);
  add(kRecipient, rebuilt(header, true, ByteView(good).subspan(84)), "a context", "something in the unprotected header");
  add(kRecipient, rebuilt(header, false, ByteView(good).last(15)), "a context", "shorter than its tag");
  Bytes weak = to_bytes(header);
  std::fill(weak.end() - 32, weak.end(), uint8_t(0));
  add(kRecipient, rebuilt(weak, false, ByteView(good).subspan(84)), "a context", "an ephemeral key of small order");
  return out;
}

}  // namespace

std::string sealed_file() {
  return document("COSE_Encrypt0 to one device: what opens, made from the given ephemeral key, and what is refused.",
                  {{"opened", list(opened_cases())}, {"refused", list(refused_cases())}});
}

}  // namespace selvedge::object::vectors
