#include "host/quic/tls.h"

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#include <cstring>

namespace selvedge::host {

// AES-128-GCM first: GnuTLS runs it about four times faster than ChaCha20-Poly1305 on CPUs with AES instructions.
// QUIC has no TLS records, so the middlebox compatibility mode has to be off (RFC 9001 8.4).
static constexpr char kPriorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519:"
    "-SIGN-ALL:+SIGN-EDDSA-ED25519:-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:%DISABLE_TLS13_COMPAT_MODE";

// DER up to the key itself: SubjectPublicKeyInfo and PKCS #8 of an Ed25519 key (RFC 8410 4 and 7).
static constexpr uint8_t kPublicPrefix[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static constexpr uint8_t kPrivatePrefix[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                             0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

struct TlsIdentity::Parts {
  gnutls_certificate_credentials_t credentials = nullptr;
  gnutls_priority_t priorities = nullptr;
  ~Parts() {
    if (priorities != nullptr) gnutls_priority_deinit(priorities);
    if (credentials != nullptr) gnutls_certificate_free_credentials(credentials);
  }
};

static Error tls_error(const char* what, int code) {
  return fail(Errc::kInternal, std::string("TLS: ") + what + ": " + gnutls_strerror(code));
}

static gnutls_datum_t datum(ByteView bytes) { return {const_cast<uint8_t*>(bytes.data()), unsigned(bytes.size())}; }

// The 32 bytes out of what a GnuTLS key object holds. False when it is not an Ed25519 key.
static bool read_ed25519(gnutls_pubkey_t key, PeerKey& out) {
  if (gnutls_pubkey_get_pk_algorithm(key, nullptr) != GNUTLS_PK_EDDSA_ED25519) return false;
  gnutls_ecc_curve_t curve{};
  gnutls_datum_t x{}, y{};
  if (gnutls_pubkey_export_ecc_raw2(key, &curve, &x, &y, 0) != 0) return false;
  const bool right = x.size == out.bytes.size();
  if (right) std::memcpy(out.bytes.data(), x.data, x.size);
  gnutls_free(x.data);
  gnutls_free(y.data);
  return right;
}

// Runs inside the handshake. Non-zero refuses the peer with the alert bad_certificate.
static int verify_peer(gnutls_session_t session) {
  const auto* ref = static_cast<ngtcp2_crypto_conn_ref*>(gnutls_session_get_ptr(session));
  if (gnutls_certificate_type_get2(session, GNUTLS_CTYPE_PEERS) != GNUTLS_CRT_RAWPK) return -1;
  unsigned count = 0;
  const gnutls_datum_t* certificates = gnutls_certificate_get_peers(session, &count);
  if (certificates == nullptr || count != 1) return -1;
  gnutls_pubkey_t key = nullptr;
  if (gnutls_pubkey_init(&key) != 0) return -1;
  PeerKey peer;
  const bool readable =
      gnutls_pubkey_import(key, &certificates[0], GNUTLS_X509_FMT_DER) == 0 && read_ed25519(key, peer);
  gnutls_pubkey_deinit(key);
  if (!readable) return -1;
  return static_cast<PeerJudge*>(ref->user_data)->accept(peer) ? 0 : -1;
}

static Result<PeerKey> derive_public(ByteView private_der) {
  gnutls_x509_privkey_t key = nullptr;
  if (int code = gnutls_x509_privkey_init(&key); code != 0) return tls_error("cannot make a key", code);
  const gnutls_datum_t der = datum(private_der);
  gnutls_ecc_curve_t curve{};
  gnutls_datum_t x{}, y{}, k{};
  int code = gnutls_x509_privkey_import_pkcs8(key, &der, GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN);
  if (code == 0) code = gnutls_x509_privkey_export_ecc_raw(key, &curve, &x, &y, &k);
  gnutls_x509_privkey_deinit(key);
  if (code != 0) return tls_error("cannot read the node's Ed25519 seed", code);
  Result<PeerKey> out = PeerKey::from(ByteView(x.data, x.size));
  gnutls_memset(k.data, 0, k.size);
  gnutls_free(x.data);
  gnutls_free(y.data);
  gnutls_free(k.data);
  return out;
}

TlsIdentity::TlsIdentity() : parts_(std::make_unique<Parts>()) {}
TlsIdentity::~TlsIdentity() = default;

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::create(const crypto::Seed& seed, const std::string& protocol,
                                                         KeyUse use) {
  std::unique_ptr<TlsIdentity> out(new TlsIdentity());
  out->protocol_ = protocol;
  crypto::Secret<sizeof kPrivatePrefix + 32> private_der;
  std::memcpy(private_der.mutable_view().data(), kPrivatePrefix, sizeof kPrivatePrefix);
  std::memcpy(private_der.mutable_view().data() + sizeof kPrivatePrefix, seed.view().data(), 32);
  out->key_ = TRY(derive_public(private_der.view()));

  if (int code = gnutls_certificate_allocate_credentials(&out->parts_->credentials); code != 0) {
    return tls_error("cannot make credentials", code);
  }
  if (use == KeyUse::kPresent) {
    Bytes public_der(std::begin(kPublicPrefix), std::end(kPublicPrefix));
    append(public_der, out->key_);
    const gnutls_datum_t public_datum = datum(public_der), private_datum = datum(private_der.view());
    const int code = gnutls_certificate_set_rawpk_key_mem(out->parts_->credentials, &public_datum, &private_datum,
                                                          GNUTLS_X509_FMT_DER, nullptr, 0, nullptr, 0, 0);
    if (code < 0) return tls_error("cannot use the node's key", code);
  }
  if (int code = gnutls_priority_init(&out->parts_->priorities, kPriorities, nullptr); code != 0) {
    return tls_error("this GnuTLS lacks an algorithm that is needed", code);
  }
  return out;
}

Result<gnutls_session_int*> TlsIdentity::open_session(Side side, ngtcp2_crypto_conn_ref* ref) const {
  gnutls_session_t session = nullptr;
  // No session tickets: a resumed session would skip the proof of the key, and early data can be replayed.
  const unsigned flags = GNUTLS_ENABLE_RAWPK | GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET |
                         (side == Side::kDialler ? GNUTLS_CLIENT : GNUTLS_SERVER);
  if (int code = gnutls_init(&session, flags); code != 0) return tls_error("cannot make a session", code);
  gnutls_session_set_ptr(session, ref);
  const gnutls_datum_t protocol = datum(view(protocol_));
  int code = gnutls_priority_set(session, parts_->priorities);
  if (code == 0) code = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, parts_->credentials);
  if (code == 0) code = gnutls_alpn_set_protocols(session, &protocol, 1, GNUTLS_ALPN_MANDATORY);
  if (code == 0) {
    code = side == Side::kDialler ? ngtcp2_crypto_gnutls_configure_client_session(session)
                                  : ngtcp2_crypto_gnutls_configure_server_session(session);
  }
  if (code != 0) {
    gnutls_deinit(session);
    return tls_error("cannot set up a session", code);
  }
  gnutls_session_set_verify_function(session, verify_peer);
  if (side == Side::kAcceptor) gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
  return session;
}

void TlsIdentity::close_session(gnutls_session_int* session) { gnutls_deinit(session); }

bool TlsIdentity::protocol_agreed(gnutls_session_int* session) const {
  gnutls_datum_t chosen{};
  if (gnutls_alpn_get_selected_protocol(session, &chosen) != 0) return false;
  return protocol_ == std::string_view(reinterpret_cast<const char*>(chosen.data), chosen.size);
}

}  // namespace selvedge::host
