// Answers to the local API about identity.
#include "node/node.h"

namespace selvedge::node {

void Node::answer_to(Turn& turn, RequestId id, const IdentityRequest& request) {
  registrar_.request(turn, request, [this, id](Turn& t, Result<IdentityAnswer> identity) { answer_or_refuse(t, id, identity); });
}

void Node::answer_to(Turn& turn, RequestId id, const IdentityListRequest&) { answer(turn, id, registrar_.list(turn.now)); }

void Node::answer_to(Turn& turn, RequestId id, const IdentityWithdrawRequest& request) { answer_or_refuse(turn, id, registrar_.withdraw(turn, request.token)); }

void Node::answer_to(Turn& turn, RequestId id, const IdentityCheckRequest& request) { answer_or_refuse(turn, id, registrar_.check(turn.now, request)); }

}  // namespace selvedge::node
