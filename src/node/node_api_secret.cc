// The local API's requests about secrets.
#include "node/node.h"

namespace selvedge::node {

void Node::on_secret_message(Turn& turn, const NodeKey& from, const SecretMessages::Message& message) {
  if (const auto* store = std::get_if<ShareStore>(&message)) vault_.on_store(turn, from, *store);
  else if (const auto* settle = std::get_if<ShareSettle>(&message)) vault_.on_settle(turn, from, *settle);
  else if (const auto* ask = std::get_if<ShareAsk>(&message)) vault_.on_ask(turn, from, *ask);
  else if (const auto* reshare = std::get_if<ReshareAsk>(&message)) vault_.on_reshare(turn, from, *reshare);
  else secrets_.on_message(turn, from, message);
}

// What a secret is and who holds it is signed by its owner.
bool Node::may_sign(Turn& turn, RequestId id, const std::string& command) {
  const Status root = core_.need_root(command);
  if (!root.ok()) turn.out.push(Refuse{id, root.error()});
  return root.ok();
}

void Node::answer_to(Turn& turn, RequestId id, const SecretPrepareRequest& request) {
  const Result<SecretPrepareAnswer> prepared = secrets_.prepare(turn.now, request);
  if (prepared.ok()) answer(turn, id, *prepared);
  else turn.out.push(Refuse{id, prepared.error()});
}

void Node::answer_to(Turn& turn, RequestId id, const SecretStoreRequest& request) {
  if (!may_sign(turn, id, "selvedge secret split")) return;
  secrets_.store(turn, request, reply_to<SecretInfo>(id));
}

void Node::answer_to(Turn& turn, RequestId id, const SecretReleaseRequest& request) {
  secrets_.release(turn, request, reply_to<SecretReleaseAnswer>(id));
}

void Node::answer_to(Turn& turn, RequestId id, const SecretListRequest&) { answer(turn, id, SecretListAnswer{secrets_.list()}); }

void Node::answer_to(Turn& turn, RequestId id, const SecretRefreshRequest& request) {
  if (!may_sign(turn, id, "selvedge secret refresh")) return;
  secrets_.refresh(turn, request.name, reply_to<SecretInfo>(id));
}

void Node::answer_to(Turn& turn, RequestId id, const SecretReshareRequest& request) {
  if (!may_sign(turn, id, "selvedge secret reshare")) return;
  secrets_.reshare(turn, request, reply_to<SecretInfo>(id));
}

void Node::answer_to(Turn& turn, RequestId id, const SecretRemoveRequest& request) {
  if (!may_sign(turn, id, "selvedge secret remove")) return;
  secrets_.remove(turn, request.name, reply_to<SecretInfo>(id));
}

void Node::answer_to(Turn& turn, RequestId id, const SecretAllowRequest& request) {
  if (!may_sign(turn, id, "selvedge secret allow")) return;
  secrets_.allow(turn, request, reply_to<SecretLeaveAnswer>(id));
}

void Node::answer_to(Turn& turn, RequestId id, const SecretDenyRequest& request) {
  secrets_.deny(turn, request, reply_to<SecretLeaveAnswer>(id));
}

}  // namespace selvedge::node
