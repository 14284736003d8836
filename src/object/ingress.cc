#include "object/ingress.h"

#include <algorithm>

#include "codec/cbor.h"
#include "codec/multibase.h"
#include "crypto/hash.h"

namespace selvedge::object {

namespace {
constexpr std::string_view kScheme = "fabric://";
constexpr size_t kPathSizeMax = 2048;
}  // namespace

const char* enum_name(IngressAuth auth) {
  switch (auth) {
    case IngressAuth::kPublic: return "public";
    case IngressAuth::kToken: return "token";
    case IngressAuth::kMutual: return "mutual";
  }
  return "unknown";
}

Status IngressSet::validate() const {
  if (service.is_zero() || origin.is_zero()) return fail(Errc::kInvalid, "a service's ingress names the service and its origin");
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.'; });
  if (name.empty() || name.size() > kServiceNameSizeMax || !plain) return fail(Errc::kInvalid, "a service's name is 1 to 64 of a-z, 0-9, '-' and '.'");
  if (epoch == 0 || expires <= issued || expires - issued > kIngressEpochSecondsMax) return fail(Errc::kInvalid, "an ingress holds for an epoch of at most an hour");
  if (endpoints.size() > kIngressEndpointsMax) return fail(Errc::kLimit, "a service has at most 32 endpoints");
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const IngressEndpoint& each = endpoints[i];
    if (each.relay.is_zero() || each.key.is_zero()) return fail(Errc::kInvalid, "an endpoint names its relay and its key");
    if (each.protocols == 0 || (each.protocols & ~kProtocolsAll) != 0) return fail(Errc::kInvalid, "an endpoint speaks protocols that are not known");
    if (i > 0 && !(endpoints[i - 1].handle < each.handle)) return fail(Errc::kNonCanonical, "endpoints are not ascending");
  }
  return ok();
}

Result<ServiceAddress> parse_service_address(std::string_view text) {
  const auto wrong = [&] { return fail(Errc::kInvalid, "\"" + std::string(text.substr(0, 80)) + "\" is no service's address: fabric://KEY or fabric://KEY/path"); };
  if (text.substr(0, kScheme.size()) != kScheme || text.size() > kScheme.size() + kPathSizeMax) return wrong();
  const std::string_view rest = text.substr(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const Result<PublicKey> key = codec::parse_key(rest.substr(0, slash));
  if (!key.ok()) return wrong();
  return ServiceAddress{*key, slash == rest.size() ? "/" : std::string(rest.substr(slash))};
}

std::string service_address(const PublicKey& service) { return std::string(kScheme) + codec::key_text(service); }

crypto::Seed service_key_seed(const crypto::Seed& zone_root, std::string_view name) {
  return crypto::hkdf_sha256_key(zone_root.view(), view("selvedge service key v1"), view(name));
}

}  // namespace selvedge::object
