// DemoScript: the story of the demonstration, told on a Fabric and checked from outside.
//
// Four hosts of four owners (anna, boris, chen, dora) and the owner of the work (the origin). dora falsifies every
// result; boris is killed while he works and comes back; chen's owner takes the grant back. Whatever is claimed is looked
// up again through the API of the nodes concerned, in the files that came back, or in /proc, and every expected value is
// computed without the fabric.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/demo_fabric.h"
#include "cli/demo_report.h"
#include "cli/files.h"

namespace selvedge::cli {

/// Milliseconds of a clock that never goes back, for figures and deadlines of the story.
uint64_t wall_ms();

class DemoScript {
 public:
  DemoScript(Fabric& fabric, DemoReport& report) : fabric_(fabric), report_(report) {}

  /// The whole story. An error ends it early; checks that fail do not.
  Status tell(const std::vector<std::string>& paths);

 private:
  // demo_script.cc: the fabric, grants, putting and reading back
  Status choose_inputs(const std::vector<std::string>& paths);
  Status start_nodes();
  Status give_grants();
  Status put_files();
  enum class Measure : uint8_t { kNo, kYes };
  Status read_back(const std::string& when, Measure measure);
  // demo_jobs.cc: verified work, the liar, the crash
  Status map_with_crash();
  Status judge_liar(const node::RunAnswer& run);
  Status check_results(const node::RunAnswer& run);
  Status restart_boris();
  // demo_revocation.cc: taking back, accounts, the end
  Status revoke_chen();
  Status wait_for_handover();
  Status check_receipts();

  DemoNode& origin() { return fabric_.at("origin"); }
  std::vector<DemoNode*> hosts();
  std::string name_of(const crypto::PublicKey& owner);
  /// Asks again and again until `holds`; a person would look again too. Errors: kTimeout, or what `holds` returned.
  Status until(const std::string& what, int seconds_max, const std::function<Result<bool>()>& holds);
  Result<node::RunAnswer> run_job(const node::RunRequest& request, const char* label, const Client::OnProgress& on_progress);
  Result<node::RunRequest> small_job(const char* guest, std::vector<std::string> args, const std::string& out);
  Result<uint64_t> tasks_of(DemoNode& host);
  Result<std::vector<node::ReceiptInfo>> receipts_of(DemoNode& node);

  Fabric& fabric_;
  DemoReport& report_;
  std::vector<node::FileName> files_;
  std::vector<codec::Cid> cids_;       // of files_, once put
  std::string inputs_text_;            // what a person would type for files_
  uint64_t bytes_ = 0;
  codec::Cid module_;                  // of the first job
  uint64_t tasks_done_of_dora_ = 0;    // when she had been caught
  uint64_t jobs_ = 0;                  // for names and seeds that differ
};

}  // namespace selvedge::cli
