#include "cli/program_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "cli/files.h"
#include "cli/shared.h"
#include "codec/cid.h"
#include "codec/tar.h"
#include "work/executor.h"

namespace selvedge::cli {
namespace {

/// A folder as an archive in a private file; symbolic links and the like are left out.
Result<node::FileName> pack(const std::string& folder, const std::string& name, const std::string& path) {
  const std::string root = TRY(absolute_path(folder)) + "/";
  const Walked walked = TRY(walk_paths({folder}));
  if (!walked.skipped.empty()) return fail(Errc::kIo, walked.skipped.front());
  if (walked.bytes > work::kTaskInputBytesMax) return fail(Errc::kLimit, folder + " holds more than a task may have (" + std::to_string(work::kTaskInputBytesMax >> 20) + " MiB)");
  std::vector<Bytes> contents;
  contents.reserve(walked.files.size());
  std::vector<codec::TarEntry> entries;
  for (const node::FileName& file : walked.files) {
    std::string inside = std::filesystem::path(file.path).lexically_relative(root).generic_string();
    const Status good = codec::check_tar_path(inside);
    if (!good.ok()) return fail(good.code(), file.path + ": " + good.error().message);
    contents.push_back(TRY(read_whole(file.path, work::kTaskInputBytesMax)));
    entries.push_back({std::move(inside), false, contents.back()});
  }
  if (entries.size() > codec::kTarEntriesMax) return fail(Errc::kLimit, folder + " holds more than " + std::to_string(codec::kTarEntriesMax) + " files");
  const Bytes archive = codec::write_tar(std::move(entries));
  TRY(write_private(path, archive));
  return node::FileName{path, name, archive.size()};
}

std::string base_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return std::filesystem::path(path).filename().string();
}

Status add_one(const std::string& text, const std::string& scratch, node::RunRequest& request) {
  struct stat info {};
  std::string name, path = text;
  // NAME=PATH, unless a file has just that name.
  if (const size_t cut = text.find('='); stat(text.c_str(), &info) != 0 && cut != std::string::npos && cut > 0) {
    name = text.substr(0, cut);
    path = text.substr(cut + 1);
  }
  if (stat(path.c_str(), &info) != 0) {
    if (name.empty() || !codec::Cid::parse(path).ok()) return fail(Errc::kNotFound, "--file " + text + ": there is no file " + path);
    request.file_cids.push_back(name + "=" + path);
    return ok();
  }
  if (name.empty()) name = base_name(TRY(absolute_path(path)));
  if (S_ISDIR(info.st_mode)) {
    if (!name.ends_with('/')) name += '/';
    request.files.push_back(TRY(pack(path, name, scratch + "/files-" + std::to_string(request.files.size()) + ".tar")));
  } else {
    request.files.push_back({TRY(absolute_path(path)), name, uint64_t(info.st_size)});
  }
  return ok();
}

}  // namespace

Status add_program_files(const std::vector<std::string>& files, const std::string& scratch, node::RunRequest& request) {
  for (const std::string& file : files) TRY(add_one(file, scratch, request));
  return ok();
}

Result<std::string> unpack_output(const std::string& output, const std::string& out_dir, const std::string& scratch) {
  constexpr std::string_view kFolder = "out/";
  TRY(make_dirs(out_dir));
  const Bytes bytes = TRY(read_whole(output, work::kTaskOutputBytesMax));
  const Result<std::vector<codec::TarEntry>> entries = codec::read_tar(bytes);
  if (!entries.ok()) return output;  // nothing but standard output
  const std::string standard_output = scratch + "/stdout";
  ByteView text;
  for (const codec::TarEntry& entry : *entries) {
    if (entry.path == "stdout") text = entry.content;
    if (!entry.path.starts_with(kFolder)) continue;
    const std::string path = out_dir + "/" + entry.path.substr(kFolder.size());
    TRY(make_dirs(entry.directory ? path : std::filesystem::path(path).parent_path().string()));
    if (!entry.directory) TRY(write_whole(path, entry.content));
  }
  TRY(write_private(standard_output, text));
  return standard_output;
}

}  // namespace selvedge::cli
