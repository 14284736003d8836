// A TPM 2.0 in software, for tests: one swtpm process in a directory of its own, gone with the object. Every one is another chip, with
// seeds of its own. Tests only.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace selvedge::host {

class Swtpm {
 public:
  /// Errors: kNotFound (no swtpm on this machine), kIo, kTimeout.
  static Result<std::unique_ptr<Swtpm>> start() {
    std::unique_ptr<Swtpm> chip(new Swtpm);
    const int watch = inotify_init1(IN_CLOEXEC);
    inotify_add_watch(watch, chip->dir_.c_str(), IN_CLOSE_WRITE);
    const Status ready = chip->launch(watch);
    close(watch);
    if (!ready.ok()) return ready.error();
    return chip;
  }
  ~Swtpm() {
    stop();
    std::error_code error;
    std::filesystem::remove_all(dir_, error);
  }
  Swtpm(const Swtpm&) = delete;
  Swtpm& operator=(const Swtpm&) = delete;

  std::string tcti() const { return "swtpm:path=" + dir_ + "/chip"; }
  void stop() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  Swtpm() {
    char name[] = "/tmp/selvedge-tpm-XXXXXX";
    CHECK(mkdtemp(name) != nullptr);
    dir_ = name;
  }

  Status launch(int watch) {
    const std::string state = "dir=" + dir_;
    const std::string server = "type=unixio,path=" + dir_ + "/chip", control = "type=unixio,path=" + dir_ + "/chip.ctrl";
    const std::string log = "file=" + dir_ + "/log", pid_file = "file=" + dir_ + "/pid";
    pid_ = fork();
    if (pid_ < 0) return fail(Errc::kIo, "no process for swtpm");
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate", state.c_str(), "--server", server.c_str(), "--ctrl", control.c_str(), "--flags",
             "not-need-init,startup-clear", "--log", log.c_str(), "--pid", pid_file.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    return wait_ready(watch);
  }

  /// swtpm writes its process id once it listens.
  Status wait_ready(int watch) {
    for (;;) {
      pollfd changed{watch, POLLIN, 0};
      const int ready = poll(&changed, 1, 200);
      char events[4096];
      if (ready > 0 && read(watch, events, sizeof events) < 0) return fail(Errc::kIo, "inotify");
      if (std::filesystem::exists(dir_ + "/pid")) return ok();
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 127) return fail(Errc::kNotFound, "swtpm is not installed");
        return fail(Errc::kIo, "swtpm does not start");
      }
    }
  }

  std::string dir_;
  pid_t pid_ = -1;
};

}  // namespace selvedge::host
