// Answers to the local API about relays and rendezvous, and what the transport says about them.
#include "codec/multibase.h"
#include "node/node.h"

namespace selvedge::node {

void Node::on_visit_opened(Instant now, const NodeKey& provider, LinkId link, Out& out) {
  Turn turn{now, out};
  meetings_.on_visit_opened(turn, provider, link);
  finish(turn);
}

void Node::on_visit_failed(Instant now, const NodeKey& provider, const Error& why, Out& out) {
  Turn turn{now, out};
  meetings_.on_visit_failed(turn, provider, why);
  finish(turn);
}

void Node::on_circuit(Instant now, uint64_t circuit, size_t segment, Bytes packets, Out& out) {
  Turn turn{now, out};
  meetings_.on_circuit(turn, circuit, segment, std::move(packets));
  finish(turn);
}

void Node::answer_to(Turn& turn, RequestId id, const RelayUseRequest& request) {
  meetings_.use(turn, request, [this, id](Turn& t, Result<RelayUseAnswer> used) { answer_or_refuse(t, id, used); });
}

void Node::answer_to(Turn& turn, RequestId id, const RelayListRequest&) { answer(turn, id, meetings_.list()); }

void Node::answer_to(Turn& turn, RequestId id, const PublishRequest& request) {
  meetings_.publish(turn, request, [this, id](Turn& t, Result<PublishAnswer> published) { answer_or_refuse(t, id, published); });
}

void Node::answer_to(Turn& turn, RequestId id, const ResolveServiceRequest& request) {
  meetings_.resolve(turn, request, [this, id](Turn& t, Result<ResolveAnswer> resolved) { answer_or_refuse(t, id, resolved); });
}

void Node::on_addresses(Instant now, std::vector<std::string> addresses, Out& out) {
  Turn turn{now, out};
  set_addresses(std::move(addresses));
  discovery_.on_addresses(turn);
  meetings_.on_addresses(turn);
  finish(turn);
}

void Node::on_hints(Instant now, uint64_t token, const Result<Bytes>& payload, Out& out) {
  Turn turn{now, out};
  discovery_.on_hints(turn, token, payload);
  finish(turn);
}

void Node::on_hints_told(Instant now, uint64_t token, const Status& status, Out& out) {
  Turn turn{now, out};
  discovery_.on_told(turn, token, status);
  finish(turn);
}

void Node::answer_to(Turn& turn, RequestId id, const FindRequest& request) {
  const Result<crypto::PublicKey> key = codec::parse_key(request.key);
  if (!key.ok()) return turn.out.push(Refuse{id, key.error()});
  discovery_.find(turn, *key, [this, id](Turn& t, Result<FindAnswer> found) { answer_or_refuse(t, id, found); });
}

void Node::answer_to(Turn& turn, RequestId id, const AnnounceRequest& request) {
  discovery_.announce(turn, request, [this, id](Turn& t, Result<AnnounceAnswer> announced) { answer_or_refuse(t, id, announced); });
}

}  // namespace selvedge::node
