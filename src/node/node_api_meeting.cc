// Answers to the local API about relays and rendezvous, and what the transport says about them.
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

}  // namespace selvedge::node
