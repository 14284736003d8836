// Contractor: the part of a node that has its owner's work done by others, and checks it.
//
// A run is: store the module and the inputs; one task per input, each agreed on by machines of distinct owners; with
// merge, one more task over all outputs; write the results. Offers carry keys for just their task's objects, sealed to
// the executor, and a Capability to read just those objects. Whoever is caught lying is written down and asked for nothing more.
#pragma once

#include "node/library.h"
#include "node/run_keys.h"
#include "work/jobs.h"
#include "work/state_parts.h"

namespace selvedge::node {

constexpr size_t kRunsMax = 16;
constexpr uint64_t kFuelDefault = 20'000'000'000;
constexpr uint64_t kTaskMemoryDefault = 64u << 20;
constexpr uint64_t kOutputsBytesMax = 1u << 30;   // of one run, kept until they are written

/// A receipt as its origin keeps it.
struct KeptReceipt {
  Bytes receipt;
  bool accepted = false;
  template <class V> void visit(V& v) { v("receipt", receipt); v("accepted", accepted); }
};

/// What a run that the node itself has done comes to.
struct RunResult {
  RunAnswer answer;
  Bytes output;
  std::vector<Bytes> receipts;   // of the machines that agree
};

/// A run of one task that the node has done for somebody who is not at its local API.
struct InlineRun {
  std::string name;              // the program's, for itself
  object::ZoneId zone;
  codec::Cid module;             // stored already
  std::vector<std::string> args;
  std::shared_ptr<const Bytes> input;   // null: none
  uint32_t verify = 2;
  uint64_t fuel_limit = kFuelDefault;
  uint64_t memory_bytes = kTaskMemoryDefault;
  uint64_t output_bytes_max = work::kTaskOutputBytesMax;
  std::function<void(Turn&, const RunProgress&)> on_progress;
  std::function<void(Turn&, Result<RunResult>)> on_end;   // once
};

class Contractor {
 public:
  Contractor(Core& core, Library& library, Zones& zones) : core_(core), library_(library), zones_(zones), jobs_(core.rng.next()) {}

  /// Asks the oracles of a program that is about to run (Oracles::ask); whoever composes the node plugs it in.
  std::function<void(Turn&, const std::vector<std::string>&, std::function<void(Turn&, Result<Bytes>)>)> ask_oracles;

  /// Where a run's keys are to be among others; whoever composes the node plugs it in, or there are no such runs.
  RunKeys* run_keys = nullptr;
  /// Called whenever a run ended: there is room for another.
  std::function<void(Turn&)> on_room = [](Turn&) {};

  void run(Turn& turn, RequestId request, RunRequest run);
  /// `request` is nobody's at the local API.
  void run_inline(Turn& turn, RequestId request, InlineRun run);
  void cancel(Turn& turn, RequestId request);
  void on_message(Turn& turn, const NodeKey& from, const work::WorkMessages::Message& message);
  /// Sessions, grants or revocations changed: who can be asked?
  void refresh(Turn& turn);
  void on_deadline(Turn& turn);
  Instant next_deadline() const { return jobs_.next_deadline(); }
  bool banned(const NodeKey& node) const { return core_.find_record(Record::kBanned, node) != nullptr; }
  size_t running() const { return runs_.size(); }
  std::vector<work::RunningTask> tasks() const { return jobs_.list(); }
  /// Errors as Jobs::move.
  Status move(Turn& turn, const std::string& task, const NodeKey& to);

 private:
  struct Run {
    RequestId request = 0;
    RunRequest what;
    object::ZoneId zone;       // everything of a run is in one zone
    Instant started;
    std::optional<object::Signed<object::Manifest>> manifest;  // of the bundle that the module is from
    object::BlobRef module;
    std::vector<object::BlobRef> inputs;
    std::vector<std::string> names;
    std::vector<std::pair<std::string, object::BlobRef>> files;
    std::string secret;        // whose keys are among others: the name of what they share
    uint64_t job = 0;
    bool merging = false;
    std::vector<RunOutput> outputs;
    std::vector<Bytes> contents;
    uint64_t contents_bytes = 0;
    size_t writes_left = 0;
    Status write_status;
    RunAnswer answer;
    RunProgress progress;
    Instant last_progress{0};
    std::string failure;       // of the first task that ended without an output
    uint64_t output_bytes_max = work::kTaskOutputBytesMax;
    std::vector<Bytes> receipts;   // where `on_end` wants them
    std::function<void(Turn&, const RunProgress&)> on_progress;
    std::function<void(Turn&, Result<RunResult>)> on_end;   // empty: the local API is told
  };

  void store_inputs(Turn& turn, RequestId id, std::shared_ptr<const Bytes> oracles);
  void stored(Turn& turn, RequestId id, PutOutcome put);
  Result<object::Signed<object::Manifest>> open_manifest(const RunRequest& what) const;
  Result<object::BlobRef> ref_of(const Run& run, const codec::Cid& cid) const;
  void share_keys(Turn& turn, RequestId id);
  void forget_keys(Turn& turn, const std::string& secret);
  void start_tasks(Turn& turn, RequestId id);
  work::TaskUnit unit_for(const Run& run, const object::BlobRef& input, std::vector<std::string> args) const;
  void offer(Turn& turn, const work::MakeOffer& make);
  Result<Bytes> make_offer(Turn& turn, const work::MakeOffer& make, const Run& run);
  void route(Turn& turn, work::Jobs::Out& effects);
  void on_task_done(Turn& turn, work::TaskDone& done);
  void on_rejected(Turn& turn, const work::TaskRejected& rejected);
  void on_job_ended(Turn& turn, const work::JobEnded& ended);
  void merge(Turn& turn, RequestId id);
  void merge_stored(Turn& turn, RequestId id, PutOutcome put);
  void write_outputs(Turn& turn, RequestId id);
  void finish(Turn& turn, RequestId id);
  void fail_run(Turn& turn, RequestId id, const Error& error);
  void report(Turn& turn, Run& run, bool now);
  void keep_receipt(Turn& turn, const Bytes& receipt, bool accepted);
  Run* run_of_job(uint64_t job);

  Core& core_;
  Library& library_;
  Zones& zones_;
  work::Jobs jobs_;
  work::StateParts states_;
  std::map<RequestId, Run> runs_;
};

}  // namespace selvedge::node
