#include "node/enrolment.h"

#include <algorithm>

#include "codec/multibase.h"
#include "object/authorize.h"

namespace selvedge::node {

namespace {

constexpr codec::ArmorForm kRequestForm{"selvedgerequest", '1', "request of a device"};
constexpr codec::ArmorForm kAnswerForm{"selvedgeaccept", '1', "answer to a device"};

struct RequestParts {
  Bytes request;
  Bytes succession;
  template <class V> void visit(V& v) { v("request", request); v("succession", succession); }
};

}  // namespace

Status check_label(const std::string& label) {
  if (label.size() > kLabelSizeMax) return fail(Errc::kInvalid, "the name of a device has at most 64 bytes");
  const bool shown = std::all_of(label.begin(), label.end(), [](char c) { return uint8_t(c) >= 0x20 && c != 0x7f; });
  if (!shown || !codec::is_utf8(label)) return fail(Errc::kInvalid, "the name of a device is plain text");
  return ok();
}

Status EnrolRequest::validate() const {
  if (owner.is_zero() || node.is_zero() || seal_key.is_zero()) return fail(Errc::kInvalid, "the request of a device leaves out a key");
  if (expires <= issued || expires - issued > kEnrolRequestTtl) return fail(Errc::kInvalid, "the request of a device lives for seven days at most");
  if (succeeds && *succeeds == node) return fail(Errc::kInvalid, "a node key does not succeed itself");
  return check_label(label);
}

Status Succession::validate() const {
  if (old_node.is_zero() || new_node.is_zero() || old_node == new_node) return fail(Errc::kInvalid, "a succession names two keys");
  return ok();
}

Status EnrolAnswer::validate() const {
  if (hosts.size() > kEnrolHostsMax) return fail(Errc::kLimit, "the answer to a device names too many hosts");
  for (const object::Holder& host : hosts) {
    if (host.addresses.size() > object::kAddressesMax) return fail(Errc::kLimit, "the answer to a device names too many addresses");
    for (const std::string& address : host.addresses) {
      if (address.empty() || address.size() > object::kAddressSizeMax) return fail(Errc::kInvalid, "an address in the answer to a device is empty or too long");
    }
  }
  return ok();
}

std::string request_text(const object::Signed<EnrolRequest>& request, const object::Signed<Succession>* succession) {
  return codec::armor(kRequestForm, codec::encode(RequestParts{request.bytes, succession == nullptr ? Bytes() : succession->bytes}));
}

Result<object::Signed<EnrolRequest>> open_request_text(std::string_view text, const crypto::Verifier& verifier, Instant now) {
  const Bytes bytes = TRY(codec::open_armor(kRequestForm, text));
  const RequestParts parts = TRY(codec::decode<RequestParts>(bytes));
  auto request = TRY(object::open_object<EnrolRequest>(parts.request, verifier));
  if (request.body.expires <= now.unix_seconds()) return fail(Errc::kExpired, "the request is older than seven days: make a new one (selvedge device request)");
  if (request.body.issued > now.unix_seconds() + object::kClockSkewSecondsMax) {
    return fail(Errc::kInvalid, "the request is from the future: compare the clocks of the two machines");
  }
  if (!request.body.succeeds) return request;
  const auto succession = TRY(object::open_object<Succession>(parts.succession, verifier));
  if (succession.body.old_node != *request.body.succeeds || succession.body.new_node != request.body.node) {
    return fail(Errc::kUnauthorized, "the old key did not say that this new one takes its place");
  }
  return request;
}

std::string answer_text(const EnrolAnswer& answer) { return codec::armor(kAnswerForm, codec::encode(answer)); }

Result<EnrolAnswer> open_answer_text(std::string_view text, const crypto::PublicKey& owner, const crypto::PublicKey& node, const crypto::Verifier& verifier) {
  const Bytes bytes = TRY(codec::open_armor(kAnswerForm, text));
  EnrolAnswer answer = TRY(codec::decode<EnrolAnswer>(bytes));
  const auto record = TRY(object::open_object<object::NodeRecord>(answer.record, verifier));
  if (record.body.node != node) return fail(Errc::kUnauthorized, "this answer is for another device (" + codec::key_text(record.body.node) + ")");
  if (record.body.owner != owner) return fail(Errc::kUnauthorized, "this answer is by another owner than the one this device was made for");
  return answer;
}

}  // namespace selvedge::node
