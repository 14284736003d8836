// Enrolment: how a device becomes its owner's without the owner's key ever being on it.
//
// The device makes its node keys and a request; its owner carries the request to the device that holds the owner's key, which signs
// a NodeRecord; the answer goes back by hand, or by the first session. Both are texts (codec/armor.h). A request is signed by the
// node key that it names, so that nobody enrols a key they do not hold; one for a new key in place of an old one is
// signed by the old one as well. It gives no authority: the owner decides what to enrol.
#pragma once

#include "base/time.h"
#include "codec/armor.h"
#include "object/envelope.h"
#include "object/kinds.h"

namespace selvedge::node {

inline constexpr size_t kLabelSizeMax = 64;
inline constexpr uint64_t kEnrolRequestTtl = 7 * object::kDay;
inline constexpr size_t kEnrolHostsMax = 64;

struct EnrolRequest {
  static constexpr std::string_view kName = "EnrolRequest";
  static constexpr uint16_t kVersion = 1;
  crypto::PublicKey owner;      // whose device it wants to be
  crypto::PublicKey node;
  crypto::SealPublicKey seal_key;
  std::string label;            // for people: "laptop"
  std::optional<crypto::PublicKey> succeeds;
  uint64_t issued = 0;
  uint64_t expires = 0;

  template <class V>
  void visit(V& v) {
    v("owner", owner); v("node", node); v("seal_key", seal_key); v("label", label); v("succeeds", succeeds);
    v("issued", issued); v("expires", expires);
  }
  const crypto::PublicKey& author() const { return node; }
  Status validate() const;
};

/// The old key's word that the new one takes its place.
struct Succession {
  static constexpr std::string_view kName = "Succession";
  static constexpr uint16_t kVersion = 1;
  crypto::PublicKey old_node;
  crypto::PublicKey new_node;
  uint64_t issued = 0;

  template <class V>
  void visit(V& v) { v("old_node", old_node); v("new_node", new_node); v("issued", issued); }
  const crypto::PublicKey& author() const { return old_node; }
  Status validate() const;
};

/// A label that can be shown: not too long, UTF-8, no control characters. Errors: kInvalid.
Status check_label(const std::string& label);

/// `succession`: signed by the old key when the request says `succeeds`, else nullptr.
std::string request_text(const object::Signed<EnrolRequest>& request, const object::Signed<Succession>* succession);
/// Opened, verified, and in time. Errors: kInvalid, kIntegrity, kUnsupported, kLimit, kUnauthorized (not signed by the keys it names), kExpired.
Result<object::Signed<EnrolRequest>> open_request_text(std::string_view text, const crypto::Verifier& verifier, Instant now);

/// What the owner's device answers: the record, and where its devices may be found.
struct EnrolAnswer {
  Bytes record;                        // signed NodeRecord
  std::vector<object::Holder> hosts;
  template <class V>
  void visit(V& v) { v("record", record); v("hosts", hosts); }
  Status validate() const;
};
std::string answer_text(const EnrolAnswer& answer);
/// Errors: as open_request_text; kUnauthorized when it is for another node or by another owner.
Result<EnrolAnswer> open_answer_text(std::string_view text, const crypto::PublicKey& owner, const crypto::PublicKey& node, const crypto::Verifier& verifier);

}  // namespace selvedge::node
