// What the host says about connections between this machine's programs and services.
#include "node/node.h"

namespace selvedge::node {

void Node::on_listening(Instant now, RequestId request, const Result<std::string>& address, Out& out) {
  Turn turn{now, out};
  services_.on_listening(turn, request, address);
  finish(turn);
}

void Node::on_local_connection(Instant now, RequestId request, SocketId socket, Out& out) {
  Turn turn{now, out};
  services_.on_local_connection(turn, request, socket);
  finish(turn);
}

void Node::on_socket_connected(Instant now, SocketId socket, const Status& status, Out& out) {
  Turn turn{now, out};
  services_.on_socket_connected(turn, socket, status);
  finish(turn);
}

void Node::on_socket_read(Instant now, SocketId socket, Bytes bytes, Out& out) {
  Turn turn{now, out};
  services_.on_socket_read(turn, socket, std::move(bytes));
  finish(turn);
}

void Node::on_socket_end(Instant now, SocketId socket, Out& out) {
  Turn turn{now, out};
  services_.on_socket_end(turn, socket);
  finish(turn);
}

void Node::on_socket_written(Instant now, SocketId socket, size_t bytes, Out& out) {
  Turn turn{now, out};
  services_.on_socket_written(turn, socket, bytes);
  finish(turn);
}

void Node::on_socket_closed(Instant now, SocketId socket, Out& out) {
  Turn turn{now, out};
  services_.on_socket_closed(turn, socket);
  finish(turn);
}

void Node::answer_to(Turn& turn, RequestId id, const ServiceListRequest&) {
  ServiceListAnswer out = services_.list();
  out.hosted = hosting_.list();
  out.deployed = deployer_.list(turn.now);
  answer(turn, id, out);
}

}  // namespace selvedge::node
