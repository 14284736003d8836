#include "cli/asyncify.h"

#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "cli/files.h"
#include "wasm/rewrite.h"
#include "wasm/wasi.h"

extern char** environ;

namespace selvedge::cli {

namespace {

/// A file that is gone with its scope.
class Scratch {
 public:
  static Result<Scratch> make() {
    std::string path = (std::filesystem::temp_directory_path() / "selvedge-module-XXXXXX").string();
    const int fd = mkstemp(path.data());
    if (fd < 0) return fail(Errc::kIo, "cannot make a file for wasm-opt to write to: " + std::string(strerror(errno)));
    close(fd);
    return Scratch(path);
  }
  ~Scratch() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  Scratch(Scratch&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Scratch& operator=(Scratch&&) = delete;
  const std::string& path() const { return path_; }

 private:
  explicit Scratch(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

Status run_tool(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ);
  if (error == ENOENT) return fail(Errc::kNotFound, "wasm-opt is not installed, and --resumable needs it: apt-get install binaryen");
  if (error != 0) return fail(Errc::kIo, "cannot start wasm-opt: " + std::string(strerror(error)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return fail(Errc::kInvalid, "wasm-opt did not take the module; what it said is above");
  return ok();
}

}  // namespace

Result<Bytes> make_resumable(const std::string& path) {
  const wasm::RewriteLimits limits;
  Bytes module = TRY(read_whole(path, limits.module_bytes_max));
  const wasm::Rewritten before = TRY(wasm::rewrite(module, limits));
  if (before.resumable) return module;
  const auto asks = [](const wasm::WasiImport& import) { return import.name == wasm::kCheckpointName; };
  if (std::none_of(before.imports.begin(), before.imports.end(), asks)) {
    return fail(Errc::kInvalid, path + " never says where it may be left: call selvedge_checkpoint() of guests/selvedge.h now and then in it");
  }
  const Scratch out = TRY(Scratch::make());
  TRY(run_tool({"wasm-opt", "--asyncify", "--pass-arg=asyncify-imports@selvedge.checkpoint", "-O2", "--enable-sign-ext", "--enable-mutable-globals",
                "--enable-nontrapping-float-to-int", "--enable-bulk-memory", "--enable-multivalue", "--enable-simd", "--enable-reference-types", path, "-o",
                out.path()}));
  module = TRY(read_whole(out.path(), limits.module_bytes_max));
  if (!TRY(wasm::rewrite(module, limits)).resumable) return fail(Errc::kInvalid, path + " could not be made resumable");
  return module;
}

}  // namespace selvedge::cli
