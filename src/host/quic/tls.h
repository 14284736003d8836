// TlsIdentity: the TLS 1.3 side of a node's key, and the sessions made with it.
//
// Certificates are RFC 7250 raw public keys: no names, no dates, no ASN.1 beyond a fixed prefix. GnuTLS checks that
// the peer holds the private key of what it presents; which keys are welcome is decided by the judge. Without a
// verify function GnuTLS would take any key in silence, so the connection checks again that its judge was asked.
//
// Owned by the endpoint and outlives its sessions.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "host/quic/quic.h"

struct gnutls_session_int;
struct ngtcp2_crypto_conn_ref;

namespace selvedge::host {

enum class Side : uint8_t { kDialler, kAcceptor };

/// Asked once a handshake with the key the peer has proved.
class PeerJudge {
 public:
  virtual bool accept(const PeerKey& key) = 0;

 protected:
  ~PeerJudge() = default;
};

class TlsIdentity {
 public:
  /// Errors: kInternal when GnuTLS lacks something it should have.
  static Result<std::unique_ptr<TlsIdentity>> create(const crypto::Seed& seed, const std::string& protocol, KeyUse use);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  const PeerKey& key() const { return key_; }
  /// `ref->user_data` must be a PeerJudge*, and `ref` must outlive the session. Errors: kInternal.
  Result<gnutls_session_int*> open_session(Side side, ngtcp2_crypto_conn_ref* ref) const;
  static void close_session(gnutls_session_int* session);
  /// Whether the handshake settled on our protocol (RFC 7301; QUIC makes it mandatory, RFC 9001 8.1).
  bool protocol_agreed(gnutls_session_int* session) const;

 private:
  TlsIdentity();
  struct Parts;
  std::unique_ptr<Parts> parts_;
  std::string protocol_;
  PeerKey key_;
};

}  // namespace selvedge::host
