// The local API of an owner's devices, zones and what crosses between zones. See api.h for how requests and answers are made.
#pragma once

#include <string>
#include <vector>

#include "codec/schema.h"
#include "crypto/types.h"
#include "object/policy.h"

namespace selvedge::node {

struct DeviceInfo {
  crypto::PublicKey node;
  std::string label;
  std::string state;                  // here, connected, away, lost (revoked), replaced (another key took its place)
  std::vector<std::string> zones;     // whose keys it has
  uint64_t expires = 0;               // of its record
  template <class V> void visit(V& v) { v("node", node); v("label", label); v("state", state); v("zones", zones); v("expires", expires); }
};
struct DeviceListAnswer {
  std::vector<DeviceInfo> devices;
  template <class V> void visit(V& v) { v("devices", devices); }
};
struct DeviceEnrollAnswer {
  std::string answer;                 // the text to carry back
  crypto::PublicKey node;
  std::string label;
  std::vector<std::string> zones;
  template <class V> void visit(V& v) { v("answer", answer); v("node", node); v("label", label); v("zones", zones); }
};
enum class LossStep : uint8_t { kRevoked, kRotated, kWithdrawn, kPlaced, kAlerted, kLast = kAlerted };
const char* enum_name(LossStep step);
struct DeviceLostProgress {
  LossStep step = LossStep::kRevoked;
  std::string text;
  template <class V> void visit(V& v) { v("step", step); v("text", text); }
};
struct DeviceLostAnswer {
  crypto::PublicKey node;
  std::string label;
  uint32_t devices_told = 0;          // connected ones; the others hear of it when they come
  uint32_t hosts_told = 0;
  std::vector<std::string> zones_rotated;
  uint32_t grants_withdrawn = 0;      // of its machine, and capabilities made out to it
  uint64_t objects_held = 0;          // of this owner's, with symbols there
  uint64_t objects_thin = 0;          // below the coverage that lets any one holder vanish, without it
  uint64_t objects_waiting = 0;       // of those, not placed anew yet
  template <class V> void visit(V& v) {
    v("node", node); v("label", label); v("devices_told", devices_told); v("hosts_told", hosts_told); v("zones_rotated", zones_rotated);
    v("grants_withdrawn", grants_withdrawn); v("objects_held", objects_held); v("objects_thin", objects_thin); v("objects_waiting", objects_waiting);
  }
};
struct AlertInfo {
  std::string kind;
  std::string text;
  uint64_t issued = 0;
  crypto::PublicKey issuer;
  template <class V> void visit(V& v) { v("kind", kind); v("text", text); v("issued", issued); v("issuer", issuer); }
};
struct ZoneInfo {
  std::string zone;                   // its name
  crypto::Digest id;
  uint8_t trust_level = 0;
  uint64_t epoch = 0;                 // that seals what is new; 0: this device may not store in it
  uint32_t epochs_here = 0;           // whose keys this device has
  uint32_t devices = 0;
  uint64_t blobs = 0;
  uint64_t bytes = 0;
  uint64_t policy_expires = 0;
  template <class V> void visit(V& v) {
    v("zone", zone); v("id", id); v("trust_level", trust_level); v("epoch", epoch); v("epochs_here", epochs_here); v("devices", devices);
    v("blobs", blobs); v("bytes", bytes); v("policy_expires", policy_expires);
  }
};
struct ZoneListAnswer {
  std::vector<ZoneInfo> zones;
  template <class V> void visit(V& v) { v("zones", zones); }
};
struct ZoneEpochInfo {
  uint64_t epoch = 0;
  uint64_t issued = 0;
  std::string reason;
  bool here = false;                  // this device can read what it seals
  std::vector<crypto::PublicKey> devices;
  template <class V> void visit(V& v) { v("epoch", epoch); v("issued", issued); v("reason", reason); v("here", here); v("devices", devices); }
};
struct ZoneShowAnswer {
  ZoneInfo zone;
  std::vector<ZoneEpochInfo> epochs;
  object::ZonePolicy policy;
  template <class V> void visit(V& v) { v("zone", zone); v("epochs", epochs); v("policy", policy); }
};
struct ZoneBridgeAnswer {
  codec::Cid cid;
  std::string from;
  std::string to;
  uint64_t size = 0;
  uint32_t taint = 0;                 // how often it has crossed
  std::vector<std::string> path;      // the zones it came through, oldest first
  uint64_t milliseconds = 0;
  template <class V> void visit(V& v) {
    v("cid", cid); v("from", from); v("to", to); v("size", size); v("taint", taint); v("path", path); v("milliseconds", milliseconds);
  }
};

// ---- requests

struct DeviceListRequest {
  static constexpr const char* kMethod = "device.list";
  using Answer = DeviceListAnswer;
  template <class V> void visit(V&) {}
};
struct DeviceEnrollRequest {
  static constexpr const char* kMethod = "device.enroll";
  using Answer = DeviceEnrollAnswer;
  std::string request;                // the text that selvedge device request shows on the device
  std::vector<std::string> zones;     // names; empty: all there are
  template <class V> void visit(V& v) { v("request", request); v("zones", zones); }
};
struct DeviceLostRequest {
  static constexpr const char* kMethod = "device.lost";
  using Answer = DeviceLostAnswer;
  std::string device;                 // its name, its node key, or as much of the key's beginning as names one
  template <class V> void visit(V& v) { v("device", device); }
};
struct ZoneListRequest {
  static constexpr const char* kMethod = "zone.list";
  using Answer = ZoneListAnswer;
  template <class V> void visit(V&) {}
};
struct ZoneShowRequest {
  static constexpr const char* kMethod = "zone.show";
  using Answer = ZoneShowAnswer;
  std::string zone;
  template <class V> void visit(V& v) { v("zone", zone); }
};
struct ZoneCreateRequest {
  static constexpr const char* kMethod = "zone.create";
  using Answer = ZoneInfo;
  std::string zone;
  template <class V> void visit(V& v) { v("zone", zone); }
};
struct ZoneRotateRequest {
  static constexpr const char* kMethod = "zone.rotate";
  using Answer = ZoneInfo;
  std::string zone;
  std::string reason;
  template <class V> void visit(V& v) { v("zone", zone); v("reason", reason); }
};
struct ZoneBridgeRequest {
  static constexpr const char* kMethod = "zone.bridge";
  using Answer = ZoneBridgeAnswer;
  std::string cid;
  std::string from;
  std::string to;
  template <class V> void visit(V& v) { v("cid", cid); v("from", from); v("to", to); }
};

}  // namespace selvedge::node
