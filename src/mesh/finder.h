// Finder: where a node is, from sources that may be slow, silent, stale or false. spec: SP 2, 5
//
// First the PKARR relays, the DHT and this machine's own network, all at once; then, if none of them gave an answer, the names of DNS. An answer counts if the key that is looked for signed it, if it has
// not expired, and if it is no older than what was seen before. So a source costs time and no more. Of several answers the newest counts: after the
// first good one the others have a moment left. Tickets come before all of this, and need nobody.
//
// Pure; owned by the node. The host asks; what comes back is a PKARR payload (codec/pkarr.h), wherever it is from.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "codec/pkarr.h"
#include "mesh/placement.h"

namespace selvedge::mesh {

constexpr size_t kHintSourcesMax = 8;
constexpr size_t kFindsMax = 256;
constexpr size_t kHintsKnownMax = 4096;
constexpr Duration kSourcePatience = seconds(5);
/// The DHT has no server: a question goes from one stranger to the next.
constexpr Duration kDhtPatience = seconds(15);
constexpr Duration kNewerAnswerWait = milliseconds(200);
/// Clocks differ; what claims to be from later than this is false.
constexpr Duration kHintFutureMax = seconds(3600);

struct HintSource {
  enum class Kind : uint8_t { kPkarr, kDns, kLan, kDht } kind = Kind::kPkarr;
  std::string at;                  // the relay's URL; or the suffix under which names are asked for; of the DHT "HOST:PORT" of a node of it, or nothing; of a LAN nothing
  std::string server;              // of DNS: "192.0.2.53:53"; empty: the system's
  std::string text() const;        // as it was written
};
/// "lan", "dht", "dht:127.0.0.1:6881", "pkarr:https://relay.example.org", "dns:example.org", "dns:example.org@192.0.2.53:5353". Errors: kInvalid.
Result<HintSource> parse_hint_source(const std::string& text);

struct AskHints { uint64_t find; size_t source; NodeKey node; };
struct SourceSaid { std::string source, said; };
struct Found {
  uint64_t find;
  Result<codec::NodeHints> hints;
  std::vector<SourceSaid> asked;
};
using FinderEffect = std::variant<AskHints, Found>;

class Finder {
 public:
  using Out = Outbox<FinderEffect>;
  /// The verifier outlives the machine.
  Finder(const crypto::Verifier& verifier, std::vector<HintSource> sources) : verifier_(verifier), sources_(std::move(sources)) {}

  const std::vector<HintSource>& sources() const { return sources_; }
  /// Errors: kUnavailable (there is no source), kLimit.
  Result<uint64_t> start(Instant now, const NodeKey& node, Out& out);
  /// A source answered, or why it did not.
  void on_answer(Instant now, uint64_t find, size_t source, const Result<Bytes>& payload, Out& out);
  void on_deadline(Instant now, Out& out);
  Instant next_deadline() const;

 private:
  struct Asked {
    bool asked = false;
    std::string said;              // empty: nothing yet
  };
  struct Seen {
    uint64_t micros = 0;
    codec::NodeHints hints;
  };
  struct Find {
    NodeKey node;
    bool names = false;            // the second stage: DNS
    std::vector<Asked> sources;
    Instant until;
    bool found = false;
  };
  void ask(Instant now, uint64_t id, Find& find, Out& out);
  bool any(bool names) const;
  Result<Seen> checked(Instant now, const NodeKey& node, ByteView payload) const;
  bool waiting(const Find& find) const;
  void settle(Instant now, uint64_t id, Out& out);
  void finish(Instant now, uint64_t id, Out& out);
  void remember(const NodeKey& node, Seen seen);

  const crypto::Verifier& verifier_;
  const std::vector<HintSource> sources_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Find> finds_;
  std::map<NodeKey, Seen> known_;
};

}  // namespace selvedge::mesh
