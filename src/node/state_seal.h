// StateSeal: a service's keys and values as holders have them: sealed with a key that only the owner and who runs the service have.
//
// A value's key of encryption follows from the state's key and the term in which it was written, its nonce from the write's number: a term has one writer, and a
// writer uses no number twice, so none seals two. What stands where is bound in; that a holder keeps an old value back is not noticed (docs/threat-model.md).
#pragma once

#include <string>
#include <utility>

#include "node/state_messages.h"

namespace selvedge::node {

/// The state's key: of the service's own seed, so that all of the owner's devices arrive at it.
crypto::AeadKey state_key(const crypto::Seed& service_seed);

class StateSeal {
 public:
  StateSeal(const crypto::PublicKey& service, ByteView key);
  StateSlot slot_of(std::string_view key) const;
  /// `index`: of this value among those of the write.
  Bytes seal(uint64_t term, uint64_t seq, uint32_t index, std::string_view key, ByteView value);
  /// Errors: kIntegrity.
  Result<std::pair<std::string, Bytes>> open(const StateSlot& slot, ByteView sealed);

 private:
  const crypto::AeadKey& key_of(uint64_t term);
  Bytes bound(const StateSlot& slot) const;
  crypto::PublicKey service_;
  crypto::AeadKey slots_, values_;
  uint64_t term_ = 0;                     // whose key was derived last
  crypto::AeadKey of_term_;
};

}  // namespace selvedge::node
