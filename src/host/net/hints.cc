#include "host/net/hints.h"

#include <ares.h>
#include <curl/curl.h>

#include "codec/pkarr.h"

namespace selvedge::host {

HintClient::HintClient(Loop& loop) : loop_(loop), alive_(std::make_shared<HintClient*>(this)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  ares_library_init(ARES_LIB_INIT_ALL);
}

HintClient::~HintClient() {
  alive_.reset();
  stopping_ = true;
  wake_.notify_all();
  for (std::thread& each : threads_) each.join();
  ares_library_cleanup();
  curl_global_cleanup();
}

void HintClient::work() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_.load() || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

bool HintClient::enqueue(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= kHintJobsMax) return false;
    jobs_.push_back(std::move(job));
  }
  // A node that asks nobody has no threads for it.
  if (threads_.size() < kHintThreads) threads_.emplace_back([this] { work(); });
  wake_.notify_one();
  return true;
}

void HintClient::later(std::function<void()> what) {
  loop_.post([weak = std::weak_ptr(alive_), what = std::move(what)] {
    if (!weak.expired()) what();
  });
}

namespace {

Result<Bytes> ask_source(const mesh::HintSource& source, const crypto::PublicKey& node, const std::atomic<bool>& stopping) {
  if (source.kind == mesh::HintSource::Kind::kPkarr) return fetch_pkarr(source.at, node, stopping);
  if (source.kind == mesh::HintSource::Kind::kLan) return query_lan(node, stopping);
  return codec::payload_of_texts(TRY(query_txt(codec::hints_name(node) + "." + source.at, source.server, stopping)));
}

/// Runs on the loop thread whatever the job came to, unless its client is gone by then.
template <class T>
std::function<void()> job_of(Loop& loop, std::weak_ptr<HintClient*> alive, std::function<T()> what, std::function<void(T)> then) {
  return [&loop, alive, what = std::move(what), then = std::move(then)] {
    auto result = std::make_shared<T>(what());
    loop.post([alive, result, then] {
      if (!alive.expired()) then(std::move(*result));
    });
  };
}

}  // namespace

Result<Dht*> HintClient::dht(const std::string& bootstrap) {
  if (const auto it = dhts_.find(bootstrap); it != dhts_.end()) return it->second.get();
  if (dhts_.size() >= 2 * mesh::kHintSourcesMax) return fail(Errc::kLimit, "this node is in too many networks");
  return dhts_.emplace(bootstrap, TRY(Dht::create(loop_, bootstrap))).first->second.get();
}

Status HintClient::prepare(const mesh::HintSource& source) {
  if (source.kind == mesh::HintSource::Kind::kDht) TRY(dht(source.at));
  return ok();
}

void HintClient::ask(const mesh::HintSource& source, const crypto::PublicKey& node, std::function<void(Result<Bytes>)> then) {
  if (source.kind == mesh::HintSource::Kind::kDht) {
    const Result<Dht*> network = dht(source.at);
    if (!network.ok()) return later([then, error = network.error()] { then(error); });
    return (*network)->ask(node, std::move(then));
  }
  std::function<Result<Bytes>()> what = [this, source, node] { return ask_source(source, node, stopping_); };
  if (!enqueue(job_of<Result<Bytes>>(loop_, alive_, std::move(what), then))) later([then] { then(fail(Errc::kLimit, "too many questions are under way")); });
}

Status HintClient::answer_lan(const crypto::PublicKey& node, ByteView payload) {
  if (payload.empty()) responder_.reset();
  else if (responder_ != nullptr) responder_->set_payload(node, payload);
  else responder_ = TRY(LanResponder::create(loop_, node, payload));
  return ok();
}

void HintClient::tell(const mesh::HintSource& to, const crypto::PublicKey& node, Bytes payload, std::function<void(Status)> then) {
  if (to.kind == mesh::HintSource::Kind::kLan) return later([then, status = answer_lan(node, payload)] { then(status); });
  if (to.kind == mesh::HintSource::Kind::kDht) {
    const Result<Dht*> network = dht(to.at);
    if (!network.ok()) return later([then, error = network.error()] { then(error); });
    return (*network)->tell(node, std::move(payload), std::move(then));
  }
  std::function<Status()> what = [this, to, node, payload = std::move(payload)] { return put_pkarr(to.at, node, payload, stopping_); };
  if (!enqueue(job_of<Status>(loop_, alive_, std::move(what), then))) later([then] { then(fail(Errc::kLimit, "too many questions are under way")); });
}

}  // namespace selvedge::host
