#include "codec/armor.h"

#include "codec/multibase.h"
#include "crypto/hash.h"

namespace selvedge::codec {

namespace {
constexpr size_t kArmorChecksumSize = 4;

std::string without_space(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
    out.push_back(c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c);
  }
  return out;
}
}  // namespace

std::string armor(const ArmorForm& form, ByteView bytes) {
  Bytes all = to_bytes(bytes);
  append(all, crypto::sha256(bytes).view().first(kArmorChecksumSize));
  return std::string(form.word) + form.version + base32_encode(all);
}

Result<Bytes> open_armor(const ArmorForm& form, std::string_view text) {
  const std::string what(form.what);
  if (text.size() > form.text_size_max) return fail(Errc::kLimit, "this is too long to be a " + what);
  const std::string all = without_space(text);
  std::string_view rest = all;
  if (!rest.starts_with(form.word)) return fail(Errc::kInvalid, "this is not a " + what + ": one begins with '" + std::string(form.word) + form.version + "'");
  rest.remove_prefix(form.word.size());
  const Error damaged = fail(Errc::kIntegrity, "the " + what + " is damaged: check that all of it was copied");
  if (rest.empty()) return damaged;
  if (rest[0] != form.version) return fail(Errc::kUnsupported, "the " + what + " is of a version this build does not know: update selvedge");
  Result<Bytes> decoded = base32_decode(rest.substr(1));
  if (!decoded.ok() || decoded->size() < kArmorChecksumSize) return damaged;
  const ByteView body = ByteView(*decoded).first(decoded->size() - kArmorChecksumSize);
  const crypto::Digest check = crypto::sha256(body);
  if (!crypto::constant_time_equal(check.view().first(kArmorChecksumSize), ByteView(*decoded).last(kArmorChecksumSize))) return damaged;
  return to_bytes(body);
}

}  // namespace selvedge::codec
