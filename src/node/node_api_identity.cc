// Answers to the local API about identity.
#include "node/node.h"

namespace selvedge::node {

void Node::answer_to(Turn& turn, RequestId id, const IdentityRequest& request) {
  registrar_.request(turn, request, [this, id](Turn& t, Result<IdentityAnswer> identity) {
    if (identity.ok()) answer(t, id, *identity);
    else t.out.push(Refuse{id, identity.error()});
  });
}

void Node::answer_to(Turn& turn, RequestId id, const IdentityListRequest&) { answer(turn, id, registrar_.list(turn.now)); }

void Node::answer_to(Turn& turn, RequestId id, const IdentityWithdrawRequest& request) {
  const Result<IdentityWithdrawAnswer> withdrawn = registrar_.withdraw(turn, request.token);
  if (withdrawn.ok()) answer(turn, id, *withdrawn);
  else turn.out.push(Refuse{id, withdrawn.error()});
}

void Node::answer_to(Turn& turn, RequestId id, const IdentityCheckRequest& request) {
  const Result<IdentityCheckAnswer> checked = registrar_.check(turn.now, request);
  if (checked.ok()) answer(turn, id, *checked);
  else turn.out.push(Refuse{id, checked.error()});
}

}  // namespace selvedge::node
