// The local API's audit.* methods.
#include "node/node.h"

namespace selvedge::node {

void Node::answer_to(Turn& turn, RequestId id, const AuditHeadRequest&) {
  auditor_.head(turn, [this, id](Turn& t, const AuditHeadAnswer& head) { answer(t, id, head); });
}

void Node::answer_to(Turn& turn, RequestId id, const AuditListRequest& request) {
  auditor_.list(turn, request, [this, id](Turn& t, Result<AuditListAnswer> list) {
    if (list.ok()) answer(t, id, *list);
    else t.out.push(Refuse{id, list.error()});
  });
}

void Node::answer_to(Turn& turn, RequestId id, const AuditProveRequest& request) {
  auditor_.prove(turn, request, [this, id](Turn& t, Result<AuditProveAnswer> proof) {
    if (proof.ok()) answer(t, id, *proof);
    else t.out.push(Refuse{id, proof.error()});
  });
}

void Node::answer_to(Turn& turn, RequestId id, const AuditExportRequest& request) {
  auditor_.export_to(turn, request, [this, id](Turn& t, Result<AuditExportAnswer> exported) {
    if (exported.ok()) answer(t, id, *exported);
    else t.out.push(Refuse{id, exported.error()});
  });
}

}  // namespace selvedge::node
