// What several verbs do the same way.
#pragma once

#include "cli/commands.h"
#include "cli/files.h"
#include "host/daemon/home.h"

namespace selvedge::cli {

/// Draws a node::TransferProgress.
void show_transfer(ProgressBar& bar, const Json& progress);
/// Draws a node::RunProgress and names liars as they are found.
void show_run(Terminal& terminal, ProgressBar& bar, const Json& progress);
/// Says on standard error what walking left out.
void tell_skipped(Terminal& terminal, const Walked& walked);
/// A private folder in a home, for what must pass through a file between the command and its node. Errors: kIo.
Result<ScratchDir> scratch_in_home(const std::string& home, const std::string& prefix);
/// What a device shows its owner to become theirs, or to have its new key put in place of its old one. Errors: kInvalid, kIo.
Result<std::string> device_request_text(const host::Home& home);
/// Copies a file to standard output. Errors: kIo.
Status copy_to_output(Terminal& terminal, const std::string& path);
/// The named file as a program to run: its absolute path, size, and base name. The module is checked as hosts will check
/// it. Errors: kNotFound, kIo, or what wasm::rewrite returned.
/// `serves`: it may be a service's program, which answers requests and is no command.
Result<node::FileName> module_file(const std::string& path, bool serves = false);
/// A program, its files and its settings as a person named them; folders become archives in `scratch`. Errors: kInvalid, kNotFound, kIo, kLimit.
Result<node::RunRequest> program_request(const RunOptions& options, const std::string& scratch, bool serves = false);
/// "in 59 min 3 s", "2 h 0 min ago".
std::string when(uint64_t unix_seconds);
/// Makes a folder and those above it. Errors: kIo.
Status make_dirs(const std::string& path);

}  // namespace selvedge::cli
