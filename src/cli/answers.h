// From the JSON of an answer back to the struct that it was written from (node/api.h).
//
// The node writes its answers with codec::to_json_text; this is the way back, for the command only. Missing members
// keep their defaults, so that the command of today can talk to the node of yesterday.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "cli/json.h"
#include "codec/multibase.h"
#include "node/api.h"

namespace selvedge::cli {

/// Which answer a request gets.
template <class Request> struct AnswerOf { using Type = typename Request::Answer; };
template <> struct AnswerOf<node::StatusRequest> { using Type = node::StatusAnswer; };
template <> struct AnswerOf<node::TicketRequest> { using Type = node::TicketAnswer; };
template <> struct AnswerOf<node::PeerAddRequest> { using Type = node::PeerAddAnswer; };
template <> struct AnswerOf<node::PeerListRequest> { using Type = node::PeerListAnswer; };
template <> struct AnswerOf<node::GrantGiveRequest> { using Type = node::GrantInfo; };
template <> struct AnswerOf<node::GrantListRequest> { using Type = node::GrantListAnswer; };
template <> struct AnswerOf<node::LeaseListRequest> { using Type = node::LeaseListAnswer; };
template <> struct AnswerOf<node::LeaseChangeRequest> { using Type = node::LeaseChangeAnswer; };
template <> struct AnswerOf<node::LeaseThrottleRequest> { using Type = node::LeaseThrottleAnswer; };
template <> struct AnswerOf<node::DomainListRequest> { using Type = node::DomainListAnswer; };
template <> struct AnswerOf<node::DashOpenRequest> { using Type = node::DashOpenAnswer; };
template <> struct AnswerOf<node::TaskListRequest> { using Type = node::TaskListAnswer; };
template <> struct AnswerOf<node::TaskMoveRequest> { using Type = node::Empty; };
template <> struct AnswerOf<node::PutRequest> { using Type = node::PutAnswer; };
template <> struct AnswerOf<node::GetRequest> { using Type = node::GetAnswer; };
template <> struct AnswerOf<node::BlobListRequest> { using Type = node::BlobListAnswer; };
template <> struct AnswerOf<node::RunRequest> { using Type = node::RunAnswer; };
template <> struct AnswerOf<node::ReceiptsRequest> { using Type = node::ReceiptsAnswer; };
template <> struct AnswerOf<node::AuditHeadRequest> { using Type = node::AuditHeadAnswer; };
template <> struct AnswerOf<node::AuditListRequest> { using Type = node::AuditListAnswer; };
template <> struct AnswerOf<node::AuditProveRequest> { using Type = node::AuditProveAnswer; };
template <> struct AnswerOf<node::AuditExportRequest> { using Type = node::AuditExportAnswer; };
template <> struct AnswerOf<node::ShutdownRequest> { using Type = node::Empty; };

namespace detail {

template <class T>
Status read_answer_value(const Json& in, T& value);

struct AnswerVisitor {
  const Json& in;
  Status status;
  template <class M>
  void operator()(const char* name, M& member) {
    if (!status.ok()) return;
    const Json field = in.at(name);
    if (field.is_null()) return;
    status = read_answer_value(field, member);
    if (!status.ok()) status = fail(Errc::kInvalid, std::string(name) + ": " + status.error().message);
  }
};

template <class E>
Status read_answer_enum(const std::string& text, E& value) {
  for (uint64_t i = codec::detail::enum_first<E>(); i <= uint64_t(E::kLast); ++i) {
    if (text != enum_name(E(i))) continue;
    value = E(i);
    return ok();
  }
  return fail(Errc::kUnsupported, "the node said \"" + text + "\", which this command does not know; are they of one version?");
}

template <class T>
Status read_answer_value(const Json& in, T& value) {
  namespace schema = codec::detail;
  if constexpr (std::is_same_v<T, bool>) {
    value = in.flag();
  } else if constexpr (std::is_enum_v<T>) {
    return read_answer_enum(in.text(), value);
  } else if constexpr (std::is_unsigned_v<T>) {
    value = T(in.number());
  } else if constexpr (std::is_same_v<T, std::string>) {
    value = in.text();
  } else if constexpr (std::is_same_v<T, Bytes>) {
    value = TRY(from_hex(in.text()));
  } else if constexpr (std::is_same_v<T, codec::Cid>) {
    value = TRY(codec::Cid::parse(in.text()));
  } else if constexpr (std::is_same_v<T, crypto::PublicKey>) {
    value = TRY(codec::parse_key(in.text()));
  } else if constexpr (schema::kIsFixedBytes<T>) {
    value = TRY(T::from(TRY(from_hex(in.text()))));
  } else if constexpr (schema::kIsOptional<T>) {
    return read_answer_value(in, value.emplace());
  } else if constexpr (schema::kIsVector<T>) {
    value.clear();
    for (size_t i = 0; i < in.size(); ++i) {
      value.emplace_back();
      TRY(read_answer_value(in.item(i), value.back()));
    }
  } else {
    AnswerVisitor visitor{in, ok()};
    value.visit(visitor);
    return visitor.status;
  }
  return ok();
}

}  // namespace detail

/// Errors: kInvalid, kUnsupported.
template <class T>
Result<T> read_answer(const Json& json) {
  T value{};
  TRY(detail::read_answer_value(json, value));
  return value;
}

}  // namespace selvedge::cli
