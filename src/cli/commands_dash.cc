// The verb that opens the dashboard.
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/shared.h"

extern char** environ;

namespace selvedge::cli {

namespace {

// A link in a command line would be everybody's to read: the browser gets a file instead, which is its owner's alone and leads there.
Result<std::string> page_to(const std::string& home, const std::string& link) {
  const std::string path = home + "/dash.html";
  const std::string page = "<!doctype html><meta charset=\"utf-8\"><title>Selvedge</title><meta http-equiv=\"refresh\" content=\"0;url=" + link + "\"><a href=\"" + link + "\">To the dashboard</a>\n";
  unlink(path.c_str());
  TRY(write_private(path, view(page)));
  return path;
}

bool open_in_browser(const std::string& path) {
  for (const char* opener : {"xdg-open", "open"}) {
    std::string name = opener, argument = path;
    char* const arguments[] = {name.data(), argument.data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    pid_t child = 0;
    int status = 1;
    const bool started = posix_spawnp(&child, opener, &actions, nullptr, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    if (started && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
  }
  return false;
}

}  // namespace

CommandResult run_dash(World& world, const DashOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::DashOpenRequest{}));
  const std::string link = answer.at("link").text();
  world.terminal.record(answer.dump());
  if (!options.show && !world.terminal.json() && open_in_browser(TRY(page_to(world.home, link)))) {
    world.terminal.line("The dashboard opens in the browser. Without one: selvedge dash --show");
    return kExitOk;
  }
  if (!options.show) world.terminal.remark("No browser opens from here. Put this into one on this machine, within two minutes:");
  world.terminal.line(link);
  return kExitOk;
}

}  // namespace selvedge::cli
