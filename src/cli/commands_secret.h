// The verbs of secrets: split, combine, use, refresh, reshare and who may ask (docs/spec/secrets.md).
//
// This process is where a secret is whole, and for as long as it takes: splitting and combining happen here, in memory that is locked where
// the system allows it, and the node sees what is sealed. With --local no node is needed, and shares are files.
#pragma once

#include "cli/commands.h"

namespace selvedge::cli {

struct SecretSplitOptions {
  std::string file;                  // "-": standard input
  std::string name;
  uint32_t threshold = 0;
  std::vector<std::string> holders;
  std::string scheme = "feldman";
  std::string duration = "365d";
  bool one_owner = false;
  std::string local;                 // folder for share files
  uint32_t count = 0;                // of share files
};
struct SecretCombineOptions {
  std::string name;
  std::string out;                   // "-": standard output
  std::string purpose;
  std::vector<std::string> files;    // --local
};
struct SecretUseOptions {
  std::string name;
  std::string purpose;
  bool on_input = false;             // the secret is the command's standard input
  const std::vector<std::string>* command = nullptr;
};
struct SecretNameOptions {
  std::string name;
  std::string node;
  std::string duration = "1h";
};
struct SecretReshareOptions {
  std::string name;
  uint32_t threshold = 0;
  std::vector<std::string> holders;
  bool one_owner = false;
};

CommandResult run_secret_split(World& world, const SecretSplitOptions& options);
CommandResult run_secret_combine(World& world, const SecretCombineOptions& options);
CommandResult run_secret_use(World& world, const SecretUseOptions& options);
CommandResult run_secret_list(World& world);
CommandResult run_secret_refresh(World& world, const SecretNameOptions& options);
CommandResult run_secret_reshare(World& world, const SecretReshareOptions& options);
CommandResult run_secret_remove(World& world, const SecretNameOptions& options);
CommandResult run_secret_allow(World& world, const SecretNameOptions& options);
CommandResult run_secret_deny(World& world, const SecretNameOptions& options);

}  // namespace selvedge::cli
