// What nodes say to each other to meet and to move bytes. Sent on the control channel; symbols go as frames
// (frame.h) on the bulk channel. Specified in docs/spec/wire.md.
#pragma once

#include <string>
#include <vector>

#include "codec/message_set.h"
#include "mesh/pack.h"
#include "mesh/placement.h"

namespace selvedge::mesh {

constexpr uint32_t kProtocolVersion = 1;
constexpr size_t kRecordsPerMessageMax = 64;
constexpr size_t kObjectsPerMessageMax = 1024;
constexpr size_t kPathOfferMax = 4;

/// Bits of Hello::symbol_modes.
inline constexpr uint8_t kSymbolsRaptorQ = 1;        // RFC 6330

/// The first message each way. Both sides then use the highest version, the smallest frame, and of symbols and compressions what both named.
struct Hello {
  static constexpr uint8_t kType = 1;
  std::vector<uint32_t> versions;
  uint32_t frame_bytes_max = 0;
  Bytes record;  // signed NodeRecord: which owner stands behind the key that TLS proved
  uint8_t symbol_modes = kSymbolsRaptorQ;
  uint8_t compressions = kCompressions;   // pack.h
  template <class V> void visit(V& v) {
    v("versions", versions); v("frame_bytes_max", frame_bytes_max); v("record", record); v("symbol_modes", symbol_modes); v("compressions", compressions);
  }
};

/// Signed objects the receiver should know: grants, revocations, policies, leases. Each is verified on its own.
struct Records {
  static constexpr uint8_t kType = 2;
  std::vector<Bytes> objects;
  template <class V> void visit(V& v) { v("objects", objects); }
};

/// Answers one kStore frame, after the disk has synced it.
struct StoreAck {
  static constexpr uint8_t kType = 3;
  uint64_t transfer = 0;
  uint8_t error = 0;  // 0 or an Errc
  std::string message;
  template <class V> void visit(V& v) { v("transfer", transfer); v("error", error); v("message", message); }
};

/// Asks a holder for symbols: any but those listed, at most `limit` of each block.
struct SymbolRequest {
  static constexpr uint8_t kType = 4;
  uint64_t request = 0;
  object::ObjectId object;
  std::vector<EsiRange> have;
  std::vector<uint32_t> limits;  // one per source block
  std::vector<Bytes> capabilities;  // when the asker is not the object's own origin: signed, the one it holds first, the root last
  uint32_t within_ms = 0;        // later than that after it came they are of no use; 0: whenever
  bool urgent = false;           // somebody waits for it; last, so that it can be seen at a glance
  template <class V> void visit(V& v) {
    v("request", request); v("object", object); v("have", have); v("limits", limits); v("capabilities", capabilities); v("within_ms", within_ms); v("urgent", urgent);
  }
};

/// Ends the answer to a SymbolRequest: the frames went before it on the bulk channel.
struct SymbolEnd {
  static constexpr uint8_t kType = 5;
  uint64_t request = 0;
  uint32_t symbols = 0;
  uint8_t error = 0;
  std::string message;
  template <class V> void visit(V& v) { v("request", request); v("symbols", symbols); v("error", error); v("message", message); }
};

/// The origin no longer wants these objects held here.
struct Drop {
  static constexpr uint8_t kType = 6;
  uint64_t request = 0;
  std::vector<object::ObjectId> objects;
  template <class V> void visit(V& v) { v("request", request); v("objects", objects); }
};

struct DropAck {
  static constexpr uint8_t kType = 7;
  uint64_t request = 0;
  uint64_t bytes_freed = 0;
  template <class V> void visit(V& v) { v("request", request); v("bytes_freed", bytes_freed); }
};

/// Answers Records: these of them, by object id, are in force at the sender from now on.
struct Known {
  static constexpr uint8_t kType = 8;
  std::vector<object::ObjectId> objects;
  template <class V> void visit(V& v) { v("objects", objects); }
};

/// "I may be dialled here too": both sides say it at the same time, and dial each other at once, which opens the way through most routers.
struct PathOffer {
  static constexpr uint8_t kType = 9;
  std::vector<std::string> addresses;
  bool reply = false;        // the other side offered first
  template <class V> void visit(V& v) { v("addresses", addresses); v("reply", reply); }
};

using MeshMessages = codec::MessageSet<Hello, Records, StoreAck, SymbolRequest, SymbolEnd, Drop, DropAck, Known, PathOffer>;

}  // namespace selvedge::mesh
