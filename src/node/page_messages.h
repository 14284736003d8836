// What a visitor's page and the site's node say to each other about work that the site has done for the page. docs/spec/pages.md
#pragma once

#include "codec/message_set.h"
#include "object/kinds.h"

namespace selvedge::node {

enum class JobPriority : uint8_t { kLow, kNormal, kHigh, kLast = kHigh };
enum class JobStage : uint8_t { kWaiting, kRunning, kDone, kRefused, kLast = kRefused };

/// Have this done: a program that the site publishes for pages, by name. `priority` is among the asker's own; `verify` 0: as the site has it.
struct JobAsk {
  static constexpr uint8_t kType = 13;
  uint64_t request = 0;
  std::string program;
  std::vector<std::string> args;
  Bytes input;
  JobPriority priority = JobPriority::kNormal;
  uint32_t verify = 0;
  uint64_t timeout_ms = 0;                // 0: as the site has it
  template <class V> void visit(V& v) {
    v("request", request); v("program", program); v("args", args); v("input", input); v("priority", priority); v("verify", verify); v("timeout_ms", timeout_ms);
  }
};

/// Somebody gave a result that others contradicted.
struct JobMismatch {
  crypto::PublicKey node;
  crypto::PublicKey owner;
  std::string why;
  template <class V> void visit(V& v) { v("node", node); v("owner", owner); v("why", why); }
};

/// How it is with one; whenever that changed, and last with kDone or kRefused. `receipts`: signed by the machines that agree, so that nobody has to
/// believe the site's node about who they were.
struct JobTold {
  static constexpr uint8_t kType = 14;
  uint64_t request = 0;
  JobStage stage = JobStage::kWaiting;
  uint32_t ahead = 0;                     // of it in the queue
  uint64_t executions = 0, retries = 0;
  uint8_t error = 0;                      // an Errc
  std::string message;
  std::optional<codec::Cid> module;
  Bytes output;
  uint64_t fuel = 0;
  uint64_t milliseconds = 0;
  std::vector<Bytes> receipts;
  std::vector<JobMismatch> mismatches;
  template <class V> void visit(V& v) {
    v("request", request); v("stage", stage); v("ahead", ahead); v("executions", executions); v("retries", retries); v("error", error); v("message", message);
    v("module", module); v("output", output); v("fuel", fuel); v("milliseconds", milliseconds); v("receipts", receipts); v("mismatches", mismatches);
  }
};

/// It is wanted no longer.
struct JobDrop {
  static constexpr uint8_t kType = 15;
  uint64_t request = 0;
  template <class V> void visit(V& v) { v("request", request); }
};

using PageMessages = codec::MessageSet<JobAsk, JobTold, JobDrop>;

}  // namespace selvedge::node
