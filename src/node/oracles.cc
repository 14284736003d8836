#include "node/oracles.h"

#include <algorithm>

#include "codec/tar.h"
#include "object/authorize.h"

namespace selvedge::node {

Result<std::vector<OracleWish>> Oracles::parse(const std::vector<std::string>& texts) const {
  if (texts.size() > kOracleWishesMax) return fail(Errc::kLimit, "a program asks at most " + std::to_string(kOracleWishesMax) + " oracles");
  std::vector<OracleWish> out;
  for (const std::string& text : texts) {
    OracleWish wish;
    for (size_t at = 0; at <= text.size();) {
      const size_t end = std::min(text.find('|', at), text.size());
      const std::string one = text.substr(at, end - at);
      const size_t cut = one.find('@');
      const NodeKey node = cut == std::string::npos ? core_.self() : TRY(core_.find_node(one.substr(cut + 1)));
      wish.push_back({one.substr(0, cut), node});
      at = end + 1;
    }
    const auto empty = [](const OracleSource& source) { return source.name.empty(); };
    if (std::any_of(wish.begin(), wish.end(), empty)) return fail(Errc::kInvalid, "\"" + text + "\" is no oracle: NAME, NAME@NODE, and what takes its place behind |");
    if (wish.size() > kOracleSourcesMax) return fail(Errc::kLimit, "an oracle has at most " + std::to_string(kOracleSourcesMax) + " sources");
    const auto same = [&](const OracleWish& other) { return other.front().name == wish.front().name; };
    if (std::any_of(out.begin(), out.end(), same)) return fail(Errc::kInvalid, "\"" + wish.front().name + "\" is asked twice");
    out.push_back(std::move(wish));
  }
  return out;
}

void Oracles::ask(Turn& turn, std::vector<OracleWish> wishes, OnArchive then) {
  if (asks_.size() + wishes.size() > kOracleAsksMax) return then(turn, fail(Errc::kLimit, "this node asks enough oracles already"));
  auto round = std::make_shared<Round>();
  round->left = wishes.size();
  round->answers.resize(wishes.size());
  round->wishes = std::move(wishes);
  round->then = std::move(then);
  for (size_t i = 0; i < round->wishes.size() && !round->over; ++i) ask_source(turn, round, i, 0, "");
}

void Oracles::ask_source(Turn& turn, std::shared_ptr<Round> round, size_t wish, size_t source, std::string why) {
  if (round->over) return;
  const OracleWish& sources = round->wishes[wish];
  if (!why.empty()) core_.trace(turn, "oracle " + sources.front().name + ": " + why);
  if (source == sources.size()) {
    round->over = true;
    return round->then(turn, fail(Errc::kUnavailable, "no source answered oracle \"" + sources.front().name + "\"; the last: " + why));
  }
  const OracleSource& next = sources[source];
  const object::Unique nonce = core_.drbg.draw<object::Unique>();
  if (next.node == core_.self()) {
    Result<Answer> own = answer(turn.now, next.name, core_.owner(), nonce);
    if (own.ok()) return settle(turn, round, wish, std::move(own).value());
    return ask_source(turn, round, wish, source + 1, own.error().message);
  }
  const uint64_t request = ++last_request_;
  if (!core_.send(turn, next.node, OracleMessages::encode(OracleAsk{request, next.name, nonce}))) {
    return ask_source(turn, round, wish, source + 1, "node " + next.node.brief() + " is not connected");
  }
  asks_.emplace(request, Ask{std::move(round), wish, source, nonce, turn.now + kOraclePatience});
}

void Oracles::settle(Turn& turn, const std::shared_ptr<Round>& round, size_t wish, Answer answer) {
  if (round->over) return;
  round->answers[wish] = std::move(answer);
  if (--round->left > 0) return;
  round->over = true;
  std::vector<std::string> values;
  values.reserve(round->wishes.size());  // the archive's entries point into it
  std::vector<codec::TarEntry> entries;
  for (size_t i = 0; i < round->wishes.size(); ++i) {
    const std::string& name = round->wishes[i].front().name;
    values.push_back(round->answers[i]->body.value + "\n");
    entries.push_back({name, false, view(values.back())});
    entries.push_back({name + ".signed", false, round->answers[i]->bytes});
  }
  round->then(turn, codec::write_tar(std::move(entries)));
}

Result<Oracles::Answer> Oracles::answer(Instant now, const std::string& name, const crypto::PublicKey& origin, const object::Unique& nonce) const {
  object::OracleAnswer body;
  body.node = core_.self();
  body.origin = origin;
  body.name = name;
  body.nonce = nonce;
  body.issued = now.unix_seconds();
  if (name == object::kOracleTime) {
    body.value = std::to_string(body.issued);
  } else if (name == object::kOracleHeight) {
    body.value = TRY(height());
  } else if (name == object::kOracleBeacon) {
    if (core_.config.vrf == nullptr) return fail(Errc::kUnavailable, "this node has no beacon");
    TRY(object::prove_beacon(*core_.config.vrf, body));
  } else {
    return fail(Errc::kNotFound, "there is no oracle \"" + name + "\": there are time, height and beacon");
  }
  return object::sign_object(*core_.config.node, body);
}

Result<Oracles::Answer> Oracles::checked(Instant now, const Ask& ask, const Bytes& bytes) const {
  const OracleSource& source = ask.round->wishes[ask.wish][ask.source];
  Answer answer = TRY(object::open_object<object::OracleAnswer>(bytes, core_.authority.verifier()));
  const object::OracleAnswer& body = answer.body;
  if (body.node != source.node || body.origin != core_.owner() || body.nonce != ask.nonce || body.name != source.name) {
    return fail(Errc::kUnauthorized, "node " + source.node.brief() + " answered something else");
  }
  const uint64_t here = now.unix_seconds();
  if (std::max(body.issued, here) - std::min(body.issued, here) > object::kClockSkewSecondsMax) {
    return fail(Errc::kExpired, "the clock of node " + source.node.brief() + " is off by more than " + std::to_string(object::kClockSkewSecondsMax) + " s");
  }
  return answer;
}

void Oracles::on_message(Turn& turn, const NodeKey& from, const OracleMessages::Message& message) {
  if (const auto* asked = std::get_if<OracleAsk>(&message)) return on_ask(turn, from, *asked);
  const auto& reply = std::get<OracleReply>(message);
  const auto it = asks_.find(reply.request);
  if (it == asks_.end() || it->second.round->wishes[it->second.wish][it->second.source].node != from) return;
  const Ask ask = it->second;
  asks_.erase(it);
  if (reply.error != 0) return ask_source(turn, ask.round, ask.wish, ask.source + 1, "node " + from.brief() + " refused: " + errc_name(Errc(reply.error)));
  Result<Answer> answer = checked(turn.now, ask, reply.answer);
  if (answer.ok()) settle(turn, ask.round, ask.wish, std::move(answer).value());
  else ask_source(turn, ask.round, ask.wish, ask.source + 1, answer.error().message);
}

// For whom this machine does something anyway, and so often.
bool Oracles::may_ask(Instant now, const NodeKey& from) {
  const mesh::Peer* peer = core_.sessions.find(from);
  if (peer == nullptr || !peer->record) return false;
  const crypto::PublicKey& owner = peer->record->body.owner;
  if (owner != core_.owner() && core_.authority.lease_of(now, owner, 0) == nullptr) return false;
  if (counted_second_ != now.unix_seconds()) counted_.clear();
  counted_second_ = now.unix_seconds();
  return ++counted_[from] <= kOracleAnswersMax;
}

void Oracles::on_ask(Turn& turn, const NodeKey& from, const OracleAsk& ask) {
  Result<Answer> made = fail(Errc::kUnauthorized, "oracles answer who has a lease here");
  if (may_ask(turn.now, from)) made = answer(turn.now, ask.name, core_.sessions.find(from)->record->body.owner, ask.nonce);
  core_.send(turn, from, OracleMessages::encode(made.ok() ? OracleReply{ask.request, 0, made->bytes} : OracleReply{ask.request, uint8_t(made.error().code), {}}));
}

void Oracles::on_deadline(Turn& turn) {
  std::vector<Ask> late;
  for (auto it = asks_.begin(); it != asks_.end();) {
    if (it->second.until > turn.now) {
      ++it;
      continue;
    }
    late.push_back(std::move(it->second));
    it = asks_.erase(it);
  }
  for (Ask& ask : late) ask_source(turn, ask.round, ask.wish, ask.source + 1, "no answer within " + std::to_string(kOraclePatience.ms() / 1000) + " s");
}

Instant Oracles::next_deadline() const {
  Instant soonest = Instant::never();
  for (const auto& [request, ask] : asks_) soonest = std::min(soonest, ask.until);
  return soonest;
}

}  // namespace selvedge::node
