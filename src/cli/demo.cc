// selvedge demo: sets the stage, lets the story be told, and clears the stage again.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "cli/demo_script.h"
#include "cli/shared.h"

namespace selvedge::cli {

namespace {

/// Where the homes go: the folder that was named, or a private one that is removed again.
Result<ScratchDir> stage_dir(const DemoOptions& options) {
  if (options.keep.empty()) {
    const char* temporary = getenv("TMPDIR");
    return ScratchDir::make(temporary != nullptr && *temporary != 0 ? temporary : "/tmp", "selvedge-demo-");
  }
  TRY(make_dirs(options.keep));
  return ScratchDir::make(TRY(absolute_path(options.keep)), "demo-");
}

void explain_stay(Terminal& terminal, Fabric& fabric) {
  terminal.line("\nThe fabric stays up. In another terminal:");
  terminal.line("  export SELVEDGE_HOME=" + fabric.at("origin").home + "      # the owner of the work");
  for (const char* each : {"status", "peer list", "grant list", "blob list", "receipts", "doctor"}) terminal.line(fmt::format("  selvedge {}", each));
  terminal.line("  selvedge --home " + fabric.at("anna").home + " lease list      # a host");
  terminal.line("Ctrl-C here ends it.");
}

Status stop_all(Fabric& fabric, DemoReport& report) {
  size_t clean = 0;
  std::string problems;
  for (auto& node : fabric.nodes()) {
    const Result<int> status = fabric.stop(*node);
    if (status.ok() && *status == 0) ++clean;
    else problems += " " + node->name + (status.ok() ? fmt::format(" (exit status {})", *status) : ": " + status.error().message);
  }
  report.check("every node stops when asked", clean == fabric.nodes().size(), problems);
  return ok();
}

Status perform(const DemoOptions& options, const std::string& dir, const Interrupt& interrupt, DemoReport& report) {
  Fabric fabric(dir, interrupt);
  DemoScript script(fabric, report);
  TRY(script.tell(options.paths));
  if (options.stay && isatty(STDOUT_FILENO) == 1 && !report.terminal().json()) {
    explain_stay(report.terminal(), fabric);
    const Status waited = interrupt.pause(-1);
    report.terminal().line("");
    // Ctrl-C was what it waited for; the nodes end with the fabric.
    return waited.ok() || waited.error().code == Errc::kCancelled ? ok() : waited;
  }
  return stop_all(fabric, report);
}

}  // namespace

CommandResult run_demo(World& world, const DemoOptions& options) {
  const Interrupt interrupt;
  ScratchDir stage = TRY(stage_dir(options));
  DemoReport report(world.terminal);
  world.terminal.line("Selvedge demonstration: a fabric of five nodes on this machine, under " + stage.path());
  const Status played = perform(options, stage.path(), interrupt, report);
  const bool cancelled = !played.ok() && played.error().code == Errc::kCancelled;
  report.finish(played.ok() ? nullptr : &played.error());
  const bool good = played.ok() && report.all_held();
  if (!options.keep.empty() || (!good && !cancelled)) {
    world.terminal.line("The homes and logs are in " + stage.path());
    stage.keep();
  }
  if (cancelled) return played.error();
  return good ? kExitOk : kExitCheckFailed;
}

}  // namespace selvedge::cli
