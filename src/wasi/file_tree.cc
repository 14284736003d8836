#include "wasi/file_tree.h"

#include <algorithm>

#include "codec/tar.h"

namespace selvedge::wasi {

/// Where a path leads: the entry `name` of `directory`, which may not exist; or, for "." and the like, a node without a name of its own.
struct FileTree::Place {
  std::vector<NodePtr> above;   // from the directory where the walk began to the one that holds the entry
  std::string name;
  NodePtr node;
  bool wants_directory = false;

  Node& directory() const { return *above.back(); }
};

Result<std::unique_ptr<FileTree>> FileTree::create(std::span<const InputFile> files) {
  std::unique_ptr<FileTree> tree(new FileTree);
  tree->root_ = tree->node(true, nullptr);
  TRY(tree->lay_all(files));
  for (const char* name : {"out", "tmp"}) {
    NodePtr& entry = tree->root_->entries[name];
    if (entry != nullptr) return fail(Errc::kInvalid, std::string("an input cannot be called ") + name + ": that folder is for what the program writes");
    entry = tree->node(true, &tree->usage_);
  }
  tree->out_ = tree->root_->entries.at("out");
  tree->usage_.files = 0;  // the two come for free
  return tree;
}

Status FileTree::lay_all(std::span<const InputFile> files) {
  // Sorted, so that inode numbers do not tell in which order a task named its inputs.
  std::map<std::string, codec::TarEntry> all;
  const auto add = [&all](codec::TarEntry entry) -> Status {
    TRY(codec::check_tar_path(entry.path));
    const std::string path = entry.path;
    if (!all.emplace(path, std::move(entry)).second) return fail(Errc::kInvalid, "two inputs are called " + path);
    if (all.size() > codec::kTarEntriesMax) return fail(Errc::kLimit, "a task has more than " + std::to_string(codec::kTarEntriesMax) + " files");
    return ok();
  };
  for (const InputFile& file : files) {
    if (!file.path.ends_with('/')) {
      TRY(add({file.path, false, file.content}));
      continue;
    }
    const std::string folder = file.path == "/" ? "" : file.path;
    if (!folder.empty()) TRY(codec::check_tar_path(std::string_view(folder).substr(0, folder.size() - 1)));
    for (codec::TarEntry& entry : TRY(codec::read_tar(file.content))) {
      entry.path = folder + entry.path;
      TRY(add(std::move(entry)));
    }
  }
  for (const auto& [path, entry] : all) TRY(lay(path, entry.directory, entry.content));
  return ok();
}

Status FileTree::lay(std::string_view path, bool directory, ByteView content) {
  NodePtr at = root_;
  for (;;) {
    const size_t cut = path.find('/');
    const bool last = cut == std::string_view::npos;
    NodePtr& entry = at->entries[std::string(path.substr(0, cut))];
    if (entry == nullptr) entry = node(!last || directory, nullptr);
    if (entry->directory != (!last || directory)) return fail(Errc::kInvalid, "an input is both a file and a folder");
    if (last) {
      entry->fixed = content;
      return ok();
    }
    at = entry;
    path.remove_prefix(cut + 1);
  }
}

void FileTree::put(Node& directory, std::string name, NodePtr entry) {
  entry->parent = &directory;
  directory.entries.insert_or_assign(std::move(name), std::move(entry));
}

Errno FileTree::resolve(const NodePtr& from, std::string_view path, Place& out) const {
  if (!from->directory) return Errno::kNotDirectory;
  if (path.size() > kPathBytesMax) return Errno::kNameTooLong;
  if (path.empty()) return Errno::kNoEntry;
  if (path.front() == '/') return Errno::kNotCapable;
  out.above = {from};
  out.name.clear();
  out.node = from;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view name = path.substr(at, end - at);
    at = end + 1;
    out.wants_directory = end < path.size();
    if (name.empty() || name == ".") continue;
    if (out.node == nullptr) return Errno::kNoEntry;  // a component in the middle is missing
    if (!out.node->directory) return Errno::kNotDirectory;
    if (name == "..") {
      // With a name, the node is an entry of above.back(); without, it is above.back() itself.
      if (out.name.empty()) out.above.pop_back();
      out.name.clear();
      if (out.above.empty()) return Errno::kNotCapable;
      out.node = out.above.back();
      continue;
    }
    if (name.size() > codec::kTarNameMax) return Errno::kNameTooLong;
    if (!out.name.empty()) out.above.push_back(out.node);
    out.name = name;
    const auto entry = out.node->entries.find(out.name);
    out.node = entry == out.node->entries.end() ? nullptr : entry->second;
  }
  if (out.node != nullptr && out.wants_directory && !out.node->directory) return Errno::kNotDirectory;
  return Errno::kSuccess;
}

Errno FileTree::find(const NodePtr& from, std::string_view path, NodePtr& out) const {
  Place place;
  const Errno error = resolve(from, path, place);
  if (error != Errno::kSuccess) return error;
  if (place.node == nullptr) return Errno::kNoEntry;
  out = std::move(place.node);
  return Errno::kSuccess;
}

/// A place where an entry can be made: in a directory that may be changed, under a name that an archive can carry.
Errno FileTree::place_for_new(const NodePtr& from, std::string_view path, Place& out) const {
  const Errno error = resolve(from, path, out);
  if (error != Errno::kSuccess) return error;
  if (out.node != nullptr) return Errno::kExists;
  if (!out.directory().writable()) return Errno::kReadOnly;
  if (usage_.files >= kScratchFilesMax) return Errno::kNoSpace;
  const Status name = codec::check_tar_path(out.name);
  return name.ok() ? Errno::kSuccess : Errno::kBadName;
}

Errno FileTree::make_file(const NodePtr& from, std::string_view path, NodePtr& out) {
  Place place;
  const Errno error = place_for_new(from, path, place);
  if (error == Errno::kExists) out = std::move(place.node);
  if (error != Errno::kSuccess) return error;
  if (place.wants_directory) return Errno::kIsDirectory;
  out = node(false, &usage_);
  put(place.directory(), std::move(place.name), out);
  return Errno::kSuccess;
}

Errno FileTree::make_directory(const NodePtr& from, std::string_view path) {
  Place place;
  const Errno error = place_for_new(from, path, place);
  if (error != Errno::kSuccess) return error;
  put(place.directory(), std::move(place.name), node(true, &usage_));
  return Errno::kSuccess;
}

Errno FileTree::take_out(const NodePtr& from, std::string_view path, bool directory) {
  Place place;
  const Errno error = resolve(from, path, place);
  if (error != Errno::kSuccess) return error;
  if (place.node == nullptr) return Errno::kNoEntry;
  if (place.name.empty()) return Errno::kInval;
  if (place.node->directory != directory) return directory ? Errno::kNotDirectory : Errno::kIsDirectory;
  if (!place.directory().writable()) return Errno::kReadOnly;
  if (!place.node->entries.empty()) return Errno::kNotEmpty;
  place.node->parent = nullptr;
  place.directory().entries.erase(place.name);
  return Errno::kSuccess;
}

Errno FileTree::unlink(const NodePtr& from, std::string_view path) { return take_out(from, path, false); }
Errno FileTree::remove_directory(const NodePtr& from, std::string_view path) { return take_out(from, path, true); }

Errno FileTree::rename(const NodePtr& from, std::string_view path, const NodePtr& to, std::string_view new_path) {
  Place source, target;
  const Errno found = resolve(from, path, source);
  if (found != Errno::kSuccess) return found;
  if (source.node == nullptr) return Errno::kNoEntry;
  const Errno reached = resolve(to, new_path, target);
  if (reached != Errno::kSuccess) return reached;
  if (source.name.empty() || target.name.empty()) return Errno::kInval;
  if (!source.directory().writable() || !target.directory().writable()) return Errno::kReadOnly;
  if (source.node == target.node) return Errno::kSuccess;
  if (!codec::check_tar_path(target.name).ok()) return Errno::kBadName;
  if (target.wants_directory && !source.node->directory) return Errno::kNotDirectory;
  for (const Node* at = &target.directory(); at != nullptr; at = at->parent) {
    if (at == source.node.get()) return Errno::kInval;  // into itself
  }
  if (target.node != nullptr) {
    if (target.node->directory != source.node->directory) return target.node->directory ? Errno::kIsDirectory : Errno::kNotDirectory;
    if (!target.node->entries.empty()) return Errno::kNotEmpty;
    target.node->parent = nullptr;
  }
  source.directory().entries.erase(source.name);
  put(target.directory(), std::move(target.name), std::move(source.node));
  return Errno::kSuccess;
}

Errno FileTree::resize(Node& file, uint64_t size) {
  if (!file.writable()) return Errno::kReadOnly;
  const uint64_t old = file.content.size();
  if (size > old && size - old > kScratchBytesMax - usage_.bytes) return Errno::kNoSpace;
  file.content.resize(size_t(size));
  // What is not counted any more is not kept either.
  if (file.content.capacity() > 2 * size + 4096) file.content.shrink_to_fit();
  usage_.bytes += size - old;
  return Errno::kSuccess;
}

Result<Bytes> FileTree::output_archive(ByteView standard_output, uint64_t bytes_max) const {
  const Error too_large = fail(Errc::kLimit, "more output than the task allows");
  std::vector<codec::TarEntry> entries;
  uint64_t bytes = standard_output.size();
  if (!standard_output.empty()) entries.push_back({"stdout", false, standard_output});
  std::vector<std::pair<std::string, const Node*>> todo = {{"out", out_.get()}};
  while (!todo.empty()) {
    const auto [path, folder] = std::move(todo.back());
    todo.pop_back();
    for (const auto& [name, entry] : folder->entries) {
      codec::TarEntry made{path + "/" + name, entry->directory, entry->content};
      TRY(codec::check_tar_path(made.path));
      if ((bytes += entry->content.size()) > bytes_max) return too_large;
      if (entry->directory) todo.emplace_back(made.path, entry.get());
      entries.push_back(std::move(made));
    }
  }
  Bytes out = codec::write_tar(std::move(entries));
  if (out.size() > bytes_max) return too_large;
  return out;
}

}  // namespace selvedge::wasi
