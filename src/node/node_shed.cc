// What this node says of requests that it had no time to look at (mesh/intake.h).
#include "node/node.h"

namespace selvedge::node {

namespace {
constexpr const char* kTooMuch = "this node has too much to do; try again shortly";
}

void Node::on_message_shed(Instant now, LinkId link, ByteView message, Out& out) {
  Turn turn{now, out};
  const NodeKey* peer = core_.sessions.peer_of(link);
  if (peer != nullptr && !message.empty() && message[0] == mesh::StreamOpen::kType) {
    const auto open = mesh::StreamMessages::decode(message);
    if (open.ok()) core_.send(turn, *peer, mesh::StreamMessages::encode(mesh::StreamEnd{std::get<mesh::StreamOpen>(*open).stream, false, uint8_t(Errc::kBusy), kTooMuch}));
    return finish(turn);
  }
  if (peer == nullptr || message.empty() || message[0] != mesh::SymbolRequest::kType) return;
  const Result<mesh::MeshMessages::Message> parsed = mesh::MeshMessages::decode(message);
  if (!parsed.ok()) return;
  const mesh::SymbolEnd end{std::get<mesh::SymbolRequest>(*parsed).request, 0, uint8_t(Errc::kBusy), kTooMuch};
  core_.send(turn, *peer, mesh::MeshMessages::encode(end));
  finish(turn);
}

void Node::on_symbols_shed(Instant now, LinkId link, ByteView frame, Out& out) {
  Turn turn{now, out};
  const NodeKey* peer = core_.sessions.peer_of(link);
  const Result<mesh::FrameView> parsed = mesh::parse_frame(frame);
  if (peer == nullptr || !parsed.ok() || parsed->header.kind != mesh::FrameKind::kStore) return;
  core_.send(turn, *peer, mesh::MeshMessages::encode(mesh::StoreAck{parsed->header.transfer, uint8_t(Errc::kBusy), kTooMuch}));
  finish(turn);
}

}  // namespace selvedge::node
