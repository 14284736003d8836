#include "host/net/dht.h"

#include <algorithm>
#include <array>

#include <libtorrent/alert_types.hpp>
#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>
#include <libtorrent/settings_pack.hpp>

#include "codec/pkarr.h"

namespace selvedge::host {

namespace {

constexpr size_t kMicrosAt = 64, kDnsAt = 72;   // in a payload
constexpr size_t kPutNodesMin = 1;
constexpr Duration kPutAgain = seconds(1);
constexpr const char* kSilent = "nobody of the network answers";

lt::settings_pack settings(const std::string& bootstrap) {
  lt::settings_pack pack;
  // Loopback stays loopback; anything else may be reached by any interface.
  const bool loopback = bootstrap.starts_with("127.");
  pack.set_str(lt::settings_pack::listen_interfaces, loopback ? "127.0.0.1:0" : "0.0.0.0:0,[::]:0");
  if (!bootstrap.empty()) pack.set_str(lt::settings_pack::dht_bootstrap_nodes, bootstrap);
  pack.set_bool(lt::settings_pack::enable_dht, true);
  pack.set_bool(lt::settings_pack::dht_read_only, true);
  // Of the library nothing but the DHT is wanted.
  for (const int off : {lt::settings_pack::enable_lsd, lt::settings_pack::enable_upnp, lt::settings_pack::enable_natpmp, lt::settings_pack::enable_incoming_tcp,
                        lt::settings_pack::enable_incoming_utp, lt::settings_pack::enable_outgoing_tcp, lt::settings_pack::enable_outgoing_utp}) {
    pack.set_bool(off, false);
  }
  pack.set_int(lt::settings_pack::alert_mask, int(uint32_t(lt::alert_category::dht | lt::alert_category::error)));
  pack.set_str(lt::settings_pack::user_agent, "");
  return pack;
}

crypto::PublicKey key_of(const std::array<char, 32>& bytes) {
  crypto::PublicKey key;
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

std::array<char, 32> chars_of(const crypto::PublicKey& key) {
  std::array<char, 32> out;
  std::copy(key.bytes.begin(), key.bytes.end(), out.begin());
  return out;
}

uint64_t micros_of(ByteView payload) {
  uint64_t micros = 0;
  for (size_t i = kMicrosAt; i < kDnsAt; ++i) micros = micros << 8 | payload[i];
  return micros;
}

/// Empty: not an item that a PKARR packet is in.
Bytes payload_of(const lt::dht_mutable_item_alert& found) {
  if (found.item.type() != lt::entry::string_t || found.seq < 0) return {};
  const std::string& dns = found.item.string();
  if (dns.empty() || dns.size() > codec::kPkarrPayloadMax - kDnsAt) return {};
  Bytes out(found.signature.begin(), found.signature.end());
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(uint8_t(uint64_t(found.seq) >> shift));
  out.insert(out.end(), dns.begin(), dns.end());
  return out;
}

}  // namespace

Result<std::unique_ptr<Dht>> Dht::create(Loop& loop, const std::string& bootstrap) {
  try {
    return std::unique_ptr<Dht>(new Dht(loop, std::make_unique<lt::session>(lt::session_params(settings(bootstrap)))));
  } catch (const std::exception& error) {  // the library's own
    return fail(Errc::kIo, std::string("the DHT cannot be joined: ") + error.what());
  }
}

Dht::Dht(Loop& loop, std::unique_ptr<lt::session> session)
    : loop_(loop), session_(std::move(session)), deadline_(loop, [this] { on_deadline(); }), alive_(std::make_shared<Dht*>(this)) {
  session_->set_alert_notify([&loop, weak = std::weak_ptr(alive_)] {
    loop.post([weak] {
      if (const auto alive = weak.lock()) (*alive)->on_alerts();
    });
  });
}

Dht::~Dht() {
  alive_.reset();
  session_->set_alert_notify({});
}

void Dht::ask(const crypto::PublicKey& node, std::function<void(Result<Bytes>)> then) {
  const auto [it, fresh] = gets_.try_emplace(node);
  Get& get = it->second;
  if (get.then.size() >= kDhtQuestionsMax || gets_.size() > kDhtQuestionsMax) {
    if (fresh) gets_.erase(it);
    loop_.post([then] { then(fail(Errc::kLimit, "too many questions are under way")); });
    return;
  }
  get.then.push_back(std::move(then));
  if (!fresh) return;
  get.until = loop_.now() + kDhtTimeout;
  if (joined_) start_get(node);
  arm();
}

void Dht::tell(const crypto::PublicKey& node, Bytes payload, std::function<void(Status)> then) {
  const bool good = payload.size() > kDnsAt && payload.size() <= codec::kPkarrPayloadMax;
  if (!good || (puts_.size() >= kDhtQuestionsMax && !puts_.contains(node))) {
    loop_.post([then, good] { then(good ? fail(Errc::kLimit, "too much is being told") : fail(Errc::kInvalid, "this is no PKARR payload")); });
    return;
  }
  Put put{std::move(then), std::move(payload), 0, loop_.now() + kDhtTimeout, Instant::never()};
  put.micros = micros_of(put.payload);
  if (const auto before = puts_.find(node); before != puts_.end()) {
    loop_.post([then = std::move(before->second.then)] { then(fail(Errc::kExists, "a later one is being told")); });
  }
  if (joined_) start_put(node, put);
  puts_.insert_or_assign(node, std::move(put));
  arm();
}

void Dht::start_get(const crypto::PublicKey& node) { session_->dht_get_item(chars_of(node)); }

void Dht::start_put(const crypto::PublicKey& node, const Put& put) {
  // Runs on the library's thread. A later item that the network has is put once more: that is no harm, and tells on_put() of it.
  session_->dht_put_item(chars_of(node), [payload = put.payload, micros = put.micros](lt::entry& item, std::array<char, 64>& signature, int64_t& seq, const std::string&) {
    if (seq >= 0 && uint64_t(seq) > micros) return;
    item = std::string(payload.begin() + kDnsAt, payload.end());
    std::copy(payload.begin(), payload.begin() + kMicrosAt, signature.begin());
    seq = int64_t(micros);
  });
}

void Dht::on_alerts() {
  std::vector<lt::alert*> alerts;
  session_->pop_alerts(&alerts);
  // Calling back may ask and tell, but never pops: the alerts stay until the next pop.
  for (const lt::alert* each : alerts) {
    if (lt::alert_cast<lt::dht_bootstrap_alert>(each) != nullptr) on_joined();
    if (const auto* found = lt::alert_cast<lt::dht_mutable_item_alert>(each)) {
      on_item(key_of(found->key), payload_of(*found), found->seq < 0 ? 0 : uint64_t(found->seq), found->authoritative);
    }
    if (const auto* put = lt::alert_cast<lt::dht_put_alert>(each)) {
      on_put(key_of(put->public_key), put->seq < 0 ? 0 : uint64_t(put->seq), size_t(std::max(put->num_success, 0)));
    }
  }
}

void Dht::on_joined() {
  if (std::exchange(joined_, true)) return;
  for (const auto& [node, get] : gets_) start_get(node);
  for (const auto& [node, put] : puts_) start_put(node, put);
}

void Dht::on_item(const crypto::PublicKey& node, Bytes payload, uint64_t micros, bool last) {
  const auto it = gets_.find(node);
  if (it == gets_.end()) return;
  if (!payload.empty() && (it->second.best.empty() || micros > it->second.micros)) {
    it->second.best = std::move(payload);
    it->second.micros = micros;
  }
  if (!last) return;
  const Get get = std::move(it->second);
  gets_.erase(it);
  arm();
  for (const auto& then : get.then) then(get.best.empty() ? Result<Bytes>(fail(Errc::kNotFound, "does not know it")) : Result<Bytes>(get.best));
}

void Dht::on_put(const crypto::PublicKey& node, uint64_t micros, size_t nodes) {
  const auto it = puts_.find(node);
  if (it == puts_.end() || micros < it->second.micros) return;   // of an earlier put
  // The library says that it has joined even where it knows nobody yet.
  if (nodes < kPutNodesMin && loop_.now() + kPutAgain < it->second.until) {
    it->second.again = loop_.now() + kPutAgain;
    return arm();
  }
  const Put put = std::move(it->second);
  puts_.erase(it);
  arm();
  if (micros > put.micros) return put.then(fail(Errc::kExists, "it has a later one"));
  put.then(nodes >= kPutNodesMin ? ok() : Status(fail(Errc::kUnavailable, kSilent)));
}

void Dht::on_deadline() {
  const Instant now = loop_.now();
  const Error silent = fail(Errc::kTimeout, kSilent);
  std::vector<std::function<void()>> over;
  std::vector<crypto::PublicKey> again;
  std::erase_if(gets_, [&](const auto& each) {
    const Get& get = each.second;
    if (get.until > now) return false;
    for (const auto& then : get.then) {
      over.push_back([then, best = get.best, silent] { then(best.empty() ? Result<Bytes>(silent) : Result<Bytes>(best)); });
    }
    return true;
  });
  std::erase_if(puts_, [&](const auto& each) {
    if (each.second.until > now) {
      if (each.second.again <= now) again.push_back(each.first);
      return false;
    }
    over.push_back([then = each.second.then, silent] { then(silent); });
    return true;
  });
  for (const crypto::PublicKey& node : again) {
    puts_.at(node).again = Instant::never();
    start_put(node, puts_.at(node));
  }
  arm();
  for (const auto& each : over) each();
}

void Dht::arm() {
  Instant soonest = Instant::never();
  for (const auto& [node, get] : gets_) soonest = std::min(soonest, get.until);
  for (const auto& [node, put] : puts_) soonest = std::min({soonest, put.until, put.again});
  deadline_.set(soonest);
}

}  // namespace selvedge::host
