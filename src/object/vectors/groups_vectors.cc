// docs/spec/vectors/epochs.json, quorums.json, diversity.json and bridging.json: order, numbers, sources and crossings.
#include "object/quorum.h"
#include "object/vectors/json.h"
#include "object/vectors/kinds_list.h"
#include "object/vectors/vectors.h"

namespace selvedge::object::vectors {
namespace {

using testing::kNow;
using testing::World;

// ---- epochs and sequences

std::vector<Json> epoch_number_cases() {
  std::vector<Json> out;
  for (const uint32_t length : {1u, 60u, 86'400u}) {
    for (const uint64_t at : {uint64_t(0), uint64_t(59), uint64_t(60), kNow - 1, kNow, kNow + 1}) {
      out.push_back(record({{"unix_seconds", at}, {"epoch_seconds", length}, {"epoch", epoch_of(at, length)}}));
    }
  }
  return out;
}

const char* order_name(EpochOrder order) {
  return order == EpochOrder::kBefore ? "before" : order == EpochOrder::kAfter ? "after" : "unordered";
}

/// Two events by their times: within one epoch no order is claimed, however far apart they are.
std::vector<Json> order_cases() {
  std::vector<Json> out;
  const uint64_t start = kNow / 60 * 60;
  const uint64_t pairs[][2] = {{start, start}, {start, start + 59}, {start + 59, start}, {start + 59, start + 60}, {start + 60, start + 59}, {start, start + 600}};
  for (const auto& [a, b] : pairs) {
    out.push_back(record({{"epoch_seconds", 60u}, {"a", a}, {"b", b}, {"a_is", order_name(order_of(epoch_of(a, 60), epoch_of(b, 60)))}}));
  }
  return out;
}

/// Links offered to one cursor in turn, and what it says of each.
std::vector<Json> sequence_cases(const World& w) {
  SequenceId sequence;
  sequence.bytes.fill(5);
  SequenceCursor cursor(w.zone, sequence, w.origin_node.public_key());
  std::vector<Json> out;
  const auto offer = [&](const crypto::Signer& signer, uint64_t number, const std::optional<ObjectId>& previous, std::string_view operation, const char* why,
                         const ZoneId& zone) {
    const SequenceLink body{zone, sequence, signer.public_key(), number, previous, object_id(w.zone, SchemaId{}, view(operation)), kNow + number};
    const Signed<SequenceLink> link = sign_object(signer, body).value();
    const Status status = cursor.take(link);
    out.push_back(record({{"link", link.bytes}, {"expect", expectation(status)}, {"next_number", cursor.next_number()}, {"why", why}}));
    return link.id;
  };
  const ObjectId elsewhere = object_id(w.zone, SchemaId{}, view("elsewhere"));
  offer(w.origin_node, 1, elsewhere, "b", "a gap: link 0 is missing", w.zone);
  const ObjectId first = offer(w.origin_node, 0, std::nullopt, "a", "the first link", w.zone);
  offer(w.origin_node, 0, std::nullopt, "x", "another link for a place that is taken", w.zone);
  offer(w.origin_node, 1, elsewhere, "b", "it follows another link than the last", w.zone);
  const ObjectId second = offer(w.origin_node, 1, first, "b", "the second link", w.zone);
  offer(w.origin_node, 4, second, "e", "a gap: links 2 and 3 are missing", w.zone);
  offer(w.stranger, 2, second, "c", "another author", w.zone);
  offer(w.origin_node, 2, second, "c", "another zone", zone_id(w.origin.public_key(), "private"));
  offer(w.origin_node, 2, second, "c", "the third link", w.zone);
  return out;
}

// ---- quorums

Json size_case(uint32_t n, uint32_t f) {
  const auto size = [n, f](OperationClass operation) { return quorum(operation, n, f).value(); };
  return record({{"n", n}, {"f", f}, {"read_only", size(OperationClass::kReadOnly)}, {"normal_write", size(OperationClass::kNormalWrite)},
                 {"critical_write", size(OperationClass::kCriticalWrite)}, {"unanimous", size(OperationClass::kUnanimous)}});
}

std::vector<Json> refused_sizes() {
  std::vector<Json> out;
  const uint32_t sizes[][2] = {{0, 0}, {1, 1}, {3, 1}, {4, 2}, {31, 11}, {kQuorumMembersMax + 1, 0}};
  for (const auto& [n, f] : sizes) out.push_back(record({{"n", n}, {"f", f}, {"expect", expectation(quorum(OperationClass::kNormalWrite, n, f))}}));
  return out;
}

PublicKey member(uint8_t number) {
  PublicKey out;
  out.bytes.fill(number);
  return out;
}

std::vector<PublicKey> members(std::initializer_list<uint8_t> numbers) {
  std::vector<PublicKey> out;
  for (const uint8_t number : numbers) out.push_back(member(number));
  return out;
}

std::vector<Json> signer_cases() {
  std::vector<Json> out;
  const std::vector<PublicKey> board = members({1, 2, 3, 4});
  const auto add = [&](const std::vector<PublicKey>& signers, uint32_t needed, const char* why) {
    out.push_back(record({{"signers", row({signers.begin(), signers.end()})}, {"members", row({board.begin(), board.end()})}, {"needed", needed},
                          {"expect", expectation(check_quorum(signers, board, needed))}, {"why", why}}));
  };
  add(members({1, 2, 3}), 3, "as many as are needed");
  add(members({1, 2, 3, 4}), 3, "more than are needed");
  add(members({1, 2}), 3, "one too few");
  add(members({1, 2, 2}), 3, "one of them twice");
  add(members({2, 1, 3}), 3, "not sorted");
  add(members({1, 2, 9}), 3, "one who is no member");
  add(members({1, 2, 3, 9}), 3, "enough, and one who is no member");
  add({}, 0, "nobody is needed");
  add({}, 1, "nobody signed");
  return out;
}

// ---- diversity

std::vector<Json> diversity_cases() {
  std::vector<Json> out;
  const auto add = [&](const Diversity& wanted, const std::vector<SymbolSource>& sources, const char* why) {
    std::vector<Json> shown;
    for (const SymbolSource& source : sources) shown.push_back(record({{"node", source.node}, {"owner", source.owner}, {"symbols", source.symbols}}));
    out.push_back(record({{"wanted", fields_of(wanted)}, {"sources", row(shown)}, {"expect", expectation(check_diversity(wanted, sources))}, {"why", why}}));
  };
  const Diversity wanted{3, 2, 500};
  const auto from = [](uint8_t node, uint8_t owner, uint64_t symbols) { return SymbolSource{member(node), member(owner), symbols}; };
  add({}, {}, "no symbol");
  add({}, {from(1, 11, 1)}, "one symbol where nothing is asked for");
  add(wanted, {from(1, 11, 5), from(2, 11, 3), from(3, 12, 2)}, "exactly half from one machine");
  add(wanted, {from(1, 11, 6), from(2, 11, 3), from(3, 12, 2)}, "more than half from one machine");
  add(wanted, {from(1, 11, 5), from(2, 12, 5)}, "two machines");
  add(wanted, {from(1, 11, 3), from(2, 11, 3), from(3, 11, 3)}, "one owner");
  add(wanted, {from(1, 11, 5), from(2, 12, 5), from(3, 13, 0)}, "a machine that gave nothing");
  add(wanted, {from(1, 11, 3), from(1, 11, 3), from(3, 13, 3)}, "a machine that is there twice counts once");
  add(wanted, {from(1, 11, 3), from(2, 12, 3), from(3, 13, 1), from(1, 11, 3)}, "and with all that it gave");
  add({2, 1, 334}, {from(1, 11, 334), from(2, 11, 333), from(3, 11, 333)}, "a third, and the share is just above a third");
  add({2, 1, 333}, {from(1, 11, 334), from(2, 11, 333), from(3, 11, 333)}, "a third, and the share is just below a third");
  add({2, 1, 500}, {from(1, 11, UINT32_MAX), from(2, 11, UINT32_MAX)}, "counts of 32 bits");
  return out;
}

// ---- bridging

struct Zones {
  World w;
  ZonePolicy from = w.policy();
  ZonePolicy to = w.policy();
  Provenance before;
  bool crossed_before = false;
  Zones() {
    to.owner = w.host_owner.public_key();
    to.name = "their place";
    to.zone = zone_id(to.owner, to.name);
    from.flows = {{FlowDirection::kOut, to.zone, 1}};
    to.flows = {{FlowDirection::kIn, from.zone, 1}};
    before.zone = from.zone;
    before.bridge = w.reader.public_key();
    before.content = Cid::of(codec::Codec::kRaw, view("content"));
    before.origin_zone = zone_id(w.stranger.public_key(), "far away");
    before.crossings = {{before.origin_zone, from.zone, kNow - 100, {}, {}}};
    before.taint = 1;
  }
};

Json crossing_case(const char* why, void (*bend)(Zones&)) {
  Zones z;
  bend(z);
  const auto from = sign_object(z.w.origin, z.from).value();
  const auto to = z.to.owner == z.w.origin.public_key() ? sign_object(z.w.origin, z.to).value() : sign_object(z.w.host_owner, z.to).value();
  const Cid content = Cid::of(codec::Codec::kRaw, view("content"));
  const PublicKey bridge = z.w.origin_node.public_key();
  const auto crossed = cross(content, z.crossed_before ? &z.before : nullptr, from, to, bridge, testing::now());
  return record({{"content", content.text()},
                 {"before", z.crossed_before ? Json(sign_object(z.w.reader, z.before).value().bytes) : Json(nullptr)},
                 {"policy_from", from.bytes},
                 {"policy_to", to.bytes},
                 {"bridge", bridge},
                 {"now", kNow},
                 {"expect", expectation(crossed)},
                 {"provenance", crossed.ok() ? Json(sign_object(z.w.origin_node, crossed.value()).value().bytes) : Json(nullptr)},
                 {"why", why}});
}

std::vector<Json> crossing_cases() {
  std::vector<Json> out;
  const auto add = [&out](const char* why, void (*bend)(Zones&)) { out.push_back(crossing_case(why, bend)); };
  add("both zones let it pass", [](Zones&) {});
  add("it has crossed once before", [](Zones& z) { z.crossed_before = true; });
  add("any zone may send", [](Zones& z) { z.to.flows[0].peer.reset(); });
  add("no rule lets it out", [](Zones& z) { z.from.flows.clear(); });
  add("no rule lets it in", [](Zones& z) { z.to.flows.clear(); });
  add("the rule lets it out to another zone", [](Zones& z) { z.from.flows[0].peer->bytes[0] ^= 1; });
  add("the rule is for the other direction", [](Zones& z) { z.from.flows[0].direction = FlowDirection::kIn; });
  add("too tainted to leave", [](Zones& z) { z.crossed_before = true; z.from.flows[0].taint_max = 0; });
  add("too tainted to enter", [](Zones& z) { z.crossed_before = true; z.to.flows[0].taint_max = 0; });
  add("never crossed, and only that may enter", [](Zones& z) { z.to.flows[0].taint_max = 0; });
  add("into the zone where it is", [](Zones& z) { z.to = z.from; });
  add("a policy that has expired", [](Zones& z) { z.to.issued = kNow - 100; z.to.expires = kNow; });
  add("the provenance of other content", [](Zones& z) { z.crossed_before = true; z.before.content = Cid::of(codec::Codec::kRaw, view("other")); });
  add("a provenance that ends in another zone", [](Zones& z) {
    z.crossed_before = true;
    z.before.zone = z.before.crossings[0].to = zone_id(z.w.origin.public_key(), "private");
  });
  return out;
}

}  // namespace

std::string epochs_file() {
  const World w;
  return document("Epochs: numbers, and order between two times; then the links of one sequence, offered in turn to one follower of it.",
                  {{"zone", w.zone},
                   {"sequence", Bytes(32, 5)},
                   {"author", w.origin_node.public_key()},
                   {"numbers", list(epoch_number_cases())},
                   {"orders", list(order_cases())},
                   {"links", list(sequence_cases(w))}});
}

std::string quorums_file() {
  std::vector<Json> sizes;
  for (uint32_t n = 1; n <= 31; ++n) {
    for (uint32_t f = 0; f <= faults_max(n); ++f) sizes.push_back(size_case(n, f));
  }
  return document("Quorums: their size for n members of which f lie, and lists of signers that are one or are not.",
                  {{"sizes", list(sizes)}, {"refused", list(refused_sizes())}, {"signers", list(signer_cases())}});
}

std::string diversity_file() {
  return document("Source diversity: what a policy asks for, where symbols came from, and whether that is enough.", {{"cases", list(diversity_cases())}});
}

std::string bridging_file() {
  return document("Bridging: two policies, what the content carried before, and the provenance it has afterwards, signed by the bridge.",
                  {{"crossings", list(crossing_cases())}});
}

}  // namespace selvedge::object::vectors
