#include "node/run_keys.h"

#include <algorithm>

#include "codec/multibase.h"

namespace selvedge::node {

namespace {

constexpr const char* kPurpose = "work on what is confidential";

std::string short_name(const NodeKey& node) { return codec::key_text(node).substr(0, 12); }

}  // namespace

// ---- who has shown what

bool RunKeys::qualifies_to_be_asked(Instant now, const NodeKey& node) const {
  return core_.sessions.up(node) && (core_.authority.granted_by(now, node, object::kStorage) != nullptr || core_.authority.granted_by(now, node, object::kCompute) != nullptr);
}

void RunKeys::ask(Turn& turn, const std::vector<NodeKey>& nodes, object::IdentityTier tier, std::function<void(Turn&)> then) {
  const uint64_t id = ++last_asking_;
  Asking asking{{}, turn.now + kIdentityAskTimeout, std::move(then)};
  for (const NodeKey& node : nodes) {
    if (asking.open.size() >= kIdentityAsksMax) break;
    if (core_.send(turn, node, IdentityMessages::encode(IdentityAsk{++last_ask_, tier, kPurpose}))) asking.open.emplace(last_ask_, node);
  }
  if (asking.open.empty() || askings_.size() >= kSharedRunsMax) return asking.then(turn);
  askings_.emplace(id, std::move(asking));
}

void RunKeys::on_message(Turn& turn, const NodeKey& from, const IdentityMessages::Message& message) {
  if (const auto* answer = std::get_if<IdentityGiven>(&message)) return given(turn, from, *answer);
  const auto& asked = std::get<IdentityAsk>(message);
  const mesh::Peer* peer = core_.sessions.find(from);
  if (peer == nullptr || !peer->record) return;
  IdentityRequest request;
  request.origin = codec::key_text(peer->record->body.owner);
  request.purpose = asked.purpose;
  request.tier = request.tier_min = object::enum_name(asked.tier);
  request.seconds = object::kTokenTtlMax;
  registrar_.request(turn, request, [this, from, number = asked.request](Turn& t, Result<IdentityAnswer> answer) {
    IdentityGiven reply{number, 0, {}, {}};
    if (answer.ok()) reply.token = std::move(answer->token);
    else reply.error = uint8_t(answer.code()), reply.message = answer.error().message;
    core_.send(t, from, IdentityMessages::encode(reply));
  });
}

void RunKeys::given(Turn& turn, const NodeKey& from, const IdentityGiven& given) {
  const auto asking = std::find_if(askings_.begin(), askings_.end(), [&](const auto& each) {
    const auto open = each.second.open.find(given.request);
    return open != each.second.open.end() && open->second == from;
  });
  if (asking == askings_.end()) return;  // too late, or nobody asked
  declined_.erase(from);
  std::erase_if(shown_, [&](const auto& each) { return each.second.expires <= turn.now.unix_seconds(); });
  if (declined_.size() >= kIdentitiesKeptMax) declined_.clear();
  const auto token = object::open_object<object::IdentityToken>(given.token, core_.authority.verifier());
  if (given.error != 0) declined_[from] = given.message.substr(0, 300);
  else if (!token.ok()) declined_[from] = token.error().message;
  else if (shown_.size() < kIdentitiesKeptMax || shown_.count(from) != 0) shown_[from] = {given.token, token->body.expires};
  asking->second.open.erase(given.request);
  if (!asking->second.open.empty()) return;
  const auto done = askings_.extract(asking);
  done.mapped().then(turn);
}

Status RunKeys::proves(Instant now, const NodeKey& node, const KeysAmong& among) const {
  if (among.tier == object::IdentityTier::kSoftware) return ok();
  const std::string name = "node " + short_name(node);
  const auto shown = shown_.find(node);
  if (shown == shown_.end() || shown->second.expires <= now.unix_seconds()) {
    const auto why = declined_.find(node);
    return fail(Errc::kUnauthorized, name + " has shown no identity of tier " + object::enum_name(among.tier) + (why == declined_.end() ? "" : ": " + why->second));
  }
  const Result<IdentityCheckAnswer> checked =
      registrar_.check(now, {to_hex(shown->second.token), object::enum_name(among.tier), among.endorsers, among.believe_unendorsed});
  if (!checked.ok()) return fail(Errc::kUnauthorized, name + ": " + checked.error().message);
  // The token's key is one for this origin alone. That it is this machine's says the lease that it is bound to.
  const object::Signed<object::Grant>* lease = checked->lease ? core_.authority.received(convert<object::ObjectId>(*checked->lease)) : nullptr;
  if (lease == nullptr || lease->body.node != node) return fail(Errc::kUnauthorized, name + " has shown an identity that is bound to no lease of its own");
  return ok();
}

// ---- the origin's side

Result<std::vector<NodeKey>> RunKeys::choose(Instant now, const KeysAmong& among) const {
  std::map<crypto::PublicKey, std::vector<NodeKey>> of_owner;
  std::string missing;
  for (const auto& [node, peer] : core_.sessions.peers()) {
    if (!core_.sessions.up(node) || !peer.record || peer.record->body.owner == core_.owner()) continue;
    if (core_.authority.granted_by(now, node, object::kStorage) == nullptr) continue;
    const Status proven = proves(now, node, among);
    if (proven.ok()) of_owner[peer.record->body.owner].push_back(node);
    else missing += "; " + proven.error().message;
  }
  // One of each owner, then another of each: no owner should hold more than it must.
  std::vector<NodeKey> out;
  for (size_t round = 0; out.size() < among.holders; ++round) {
    const size_t before = out.size();
    for (const auto& [owner, nodes] : of_owner) {
      if (round < nodes.size() && out.size() < among.holders) out.push_back(nodes[round]);
    }
    if (out.size() == before) break;
  }
  if (out.size() < among.holders) {
    return fail(Errc::kUnavailable, "the keys are to be among " + std::to_string(among.holders) + " machines of others that granted storage" +
                                        (among.tier == object::IdentityTier::kSoftware ? "" : std::string(" and prove tier ") + object::enum_name(among.tier)) +
                                        ", and " + std::to_string(out.size()) + " are here" + missing);
  }
  return out;
}

void RunKeys::share(Turn& turn, const KeysAmong& among, OnShared then) {
  if (runs_.size() >= kSharedRunsMax) return then(turn, fail(Errc::kLimit, "too many runs have their keys among others: wait for one to end"));
  if (core_.config.owner == nullptr) return then(turn, fail(Errc::kUnauthorized, "keys are shared by their owner: start this run on the device that has the owner's key"));
  std::vector<NodeKey> nodes;
  if (among.tier != object::IdentityTier::kSoftware) {
    for (const auto& [node, peer] : core_.sessions.peers()) {
      if (qualifies_to_be_asked(turn.now, node) && !proves(turn.now, node, among).ok()) nodes.push_back(node);
    }
  }
  ask(turn, nodes, among.tier, [this, among, then](Turn& t) { bring(t, among, then); });
}

void RunKeys::bring(Turn& turn, const KeysAmong& among, const OnShared& then) {
  const Result<std::vector<NodeKey>> holders = choose(turn.now, among);
  if (!holders.ok()) return then(turn, holders.error());
  std::array<uint8_t, 32> drawn;
  core_.drbg.fill(drawn);
  auto secret = std::make_shared<crypto::Secret<32>>(crypto::Secret<32>::from(drawn).value());
  std::array<uint8_t, 4> mark;
  core_.drbg.fill(mark);
  const std::string name = "run " + to_hex(mark);
  secrets_.keep(turn, name, secret->view(), among.threshold, *holders, kRunEpochSeconds, [this, name, among, secret, then](Turn& t, Result<SecretInfo> kept) {
    if (!kept.ok()) return then(t, kept.error());
    runs_.emplace(name, Shared{among, std::move(*secret)});
    then(t, name);
  });
  crypto::wipe(drawn);
}

Result<object::KeyLeave> RunKeys::leave(Turn& turn, const std::string& run, const NodeKey& executor, const object::TaskId& task, const std::vector<object::ObjectKey>& keys) {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return fail(Errc::kNotFound, "the run is over");
  const Status proven = proves(turn.now, executor, found->second.among);
  if (!proven.ok()) {
    // It came after the run began: the next offer may find what it shows.
    if (declined_.count(executor) == 0) ask(turn, {executor}, found->second.among.tier, [](Turn&) {});
    return proven.error();
  }
  object::KeyLeave out = TRY(secrets_.leave_for(turn.now, run, executor));
  out.locked = TRY(object::lock_object_keys(keys, found->second.secret, task, executor, core_.drbg));
  return out;
}

void RunKeys::forget(Turn& turn, const std::string& run) {
  if (runs_.erase(run) > 0) secrets_.remove(turn, run, [](Turn&, Result<SecretInfo>) {});
}

// ---- the executor's side

void RunKeys::open(Turn& turn, const object::KeyLeave& leave, const object::TaskId& task, OnKeys then) {
  secrets_.open(turn, leave, "task " + task.hex(), [this, locked = leave.locked, task, then](Turn& t, Result<crypto::LockedBytes> secret) {
    if (!secret.ok()) return then(t, secret.error());
    const Result<crypto::Secret<32>> run = crypto::Secret<32>::from(secret->view());
    if (!run.ok()) return then(t, fail(Errc::kInvalid, "what the holders keep is not the secret of a run"));
    then(t, object::unlock_object_keys(locked, *run, task, core_.self()));
  });
}

// ---- time

void RunKeys::on_deadline(Turn& turn) {
  std::vector<std::function<void(Turn&)>> late;
  for (auto it = askings_.begin(); it != askings_.end();) {
    if (it->second.until > turn.now) {
      ++it;
      continue;
    }
    for (const auto& [request, node] : it->second.open) declined_.try_emplace(node, "it did not answer in time");
    late.push_back(std::move(it->second.then));
    it = askings_.erase(it);
  }
  for (const auto& then : late) then(turn);
}

Instant RunKeys::next_deadline() const {
  Instant next = Instant::never();
  for (const auto& [id, asking] : askings_) next = std::min(next, asking.until);
  return next;
}

}  // namespace selvedge::node
