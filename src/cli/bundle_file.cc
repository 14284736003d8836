#include "cli/bundle_file.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "cli/asyncify.h"
#include "cli/files.h"
#include "cli/toml_section.h"
#include "object/permission.h"
#include "wasm/rewrite.h"

namespace selvedge::cli {

namespace {

constexpr uint64_t kBundleTextSizeMax = 1u << 20;
constexpr uint64_t kBundleMemoryDefault = 64u << 20;
constexpr uint64_t kBundleSecondsDefault = 365 * object::kDay;

Status read_needs(Section& file, object::Manifest& manifest) {
  std::optional<Section> section = TRY(file.child("needs"));
  if (!section) return ok();
  object::BundleNeeds& needs = manifest.needs;
  std::vector<std::string> permissions;
  std::string cpu;
  TRY(section->read("permissions", permissions));
  if (!permissions.empty()) needs.classes = 0;
  for (const std::string& permission : permissions) {
    const Result<object::ClassSet> bit = object::parse_class_names(permission);
    if (!bit.ok()) return at_line(section->line(), bit.error().message);
    needs.classes |= *bit;
  }
  TRY(section->read("cpu", cpu));
  if (!cpu.empty()) needs.cpu_permille = TRY(parse_cpu_permille(cpu));
  TRY(section->read_bytes("memory", needs.memory_bytes));
  TRY(section->read_bytes("storage", needs.storage_bytes));
  TRY(section->read("replicas", needs.replicas, 1024));
  // A program that computes and asks for nothing would get nothing.
  if ((needs.classes & object::kCompute) != 0 && needs.memory_bytes == 0) needs.memory_bytes = kBundleMemoryDefault;
  if ((needs.classes & object::kCompute) != 0 && needs.cpu_permille == 0) needs.cpu_permille = 1000;
  return section->finish();
}

Status read_entries(Section& file, object::Manifest& manifest) {
  for (Section& section : TRY(file.children("entry"))) {
    object::BundleEntry entry;
    TRY(section.read("name", entry.operation.name));
    TRY(section.read("module", entry.module));
    TRY(section.read("args", entry.args));
    TRY(section.read_name("class", entry.domain));
    TRY(section.read_name("risk", entry.operation.risk));
    TRY(section.read_name("safety", entry.operation.safety));
    TRY(section.read_name("idempotency", entry.operation.idempotency));
    TRY(section.finish());
    if (entry.module.empty()) return at_line(section.line(), "an entry names its module: module = \"main.wasm\"");
    manifest.entries.push_back(std::move(entry));
  }
  for (Section& section : TRY(file.children("port"))) {
    object::BundlePort port;
    TRY(section.read("name", port.name));
    TRY(section.read("protocol", port.protocol));
    TRY(section.read("connections", port.connections_max, 1u << 30));
    TRY(section.read("requests_per_second", port.requests_per_second_max, 1u << 30));
    TRY(section.finish());
    manifest.ports.push_back(std::move(port));
  }
  return ok();
}

Status read_attestation(Section& file, const std::string& folder, object::Manifest& manifest) {
  std::optional<Section> section = TRY(file.child("attestation"));
  if (!section) return ok();
  object::BuildAttestation attestation;
  std::string source, statement;
  TRY(section->read("format", attestation.format));
  TRY(section->read("source_sha256", source));
  TRY(section->read("statement", statement));
  TRY(section->finish());
  const Result<Bytes> digest = from_hex(source);
  if (!digest.ok() || digest->size() != 32) return at_line(section->line(), "source_sha256 is the SHA-256 of the source it was built from, 64 hexadecimal digits");
  attestation.source = TRY(crypto::Digest::from(*digest));
  if (!statement.empty()) attestation.statement = TRY(read_whole(folder + "/" + statement, object::kSealedKeysSizeMax));
  manifest.attestation = std::move(attestation);
  return ok();
}

/// Adds the blocks of a file to the archive, and says what the manifest says of it.
Result<object::BundleFile> add_file(const std::string& path, const Bytes& content, std::set<codec::Cid>& written, Bytes& archive) {
  if (archive.size() + content.size() > kBundleFileSizeMax) return fail(Errc::kLimit, "a bundle is at most 512 MiB");
  const codec::StoredFile stored = TRY(codec::chunk_file(content, [&](const codec::Cid& cid, ByteView block) -> Status {
    if (written.insert(cid).second) codec::append_car_block(archive, cid, block);
    return ok();
  }));
  return object::BundleFile{path, stored.root, stored.size};
}

/// A module that can run in the fabric.
Result<Bytes> read_module(const std::string& folder, const std::string& path, Modules modules) {
  const wasm::RewriteLimits limits;
  const std::string file = folder + "/" + path;
  Bytes bytes = modules == Modules::kResumable ? TRY(make_resumable(file)) : TRY(read_whole(file, limits.module_bytes_max));
  const Result<wasm::Rewritten> checked = wasm::rewrite(bytes, limits);
  if (!checked.ok()) return fail(checked.error().code, path + " cannot run in the fabric: " + checked.error().message);
  return bytes;
}

Status read_head(Section& file, object::Manifest& manifest, uint64_t now) {
  std::string origin;
  uint64_t seconds = kBundleSecondsDefault;
  TRY(file.read("name", manifest.name));
  TRY(file.read("version", manifest.version));
  TRY(file.read("origin", origin));
  manifest.origin = origin.empty() ? manifest.publisher : TRY(codec::parse_key(origin));
  TRY(file.read_seconds("valid_for", seconds));
  TRY(file.read_name("audit", manifest.audit));
  TRY(file.read_name("verifiability", manifest.verifiability));
  TRY(file.read("redundancy", manifest.redundancy, 31));
  manifest.issued = now;
  manifest.expires = now + seconds;
  return ok();
}

}  // namespace

Result<Bytes> Bundle::file(const object::BundleFile& file) const {
  return codec::read_file(file.cid, [this](const codec::Cid& cid) -> Result<Bytes> {
    const auto block = blocks.find(cid);
    if (block == blocks.end()) return fail(Errc::kNotFound, "the bundle lacks a part of what its manifest names");
    return block->second;
  }, kBundleFileSizeMax);
}

Result<Bytes> build_bundle(const std::string& path, const crypto::Signer& publisher, uint64_t now, Modules kind) {
  const Bytes text = TRY(read_whole(path, kBundleTextSizeMax));
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const std::string beside = folder.empty() ? "." : folder;
  const auto build = [&]() -> Result<Bytes> {
    const toml::table table = TRY(parse_toml(to_string(text)));
    Section file(table, "");
    object::Manifest manifest;
    manifest.publisher = publisher.public_key();
    TRY(read_head(file, manifest, now));
    TRY(read_needs(file, manifest));
    TRY(read_entries(file, manifest));
    TRY(read_attestation(file, beside, manifest));
    std::vector<std::string> assets;
    TRY(file.read("assets", assets));
    TRY(file.finish());
    std::set<std::string> modules;
    for (const object::BundleEntry& entry : manifest.entries) modules.insert(entry.module);
    Bytes blocks;
    std::set<codec::Cid> written;
    for (const std::string& module : modules) {
      manifest.modules.push_back(TRY(add_file(module, TRY(read_module(beside, module, kind)), written, blocks)));
    }
    for (const std::string& asset : std::set<std::string>(assets.begin(), assets.end())) {
      manifest.assets.push_back(TRY(add_file(asset, TRY(read_whole(beside + "/" + asset, kBundleFileSizeMax)), written, blocks)));
    }
    const object::Signed<object::Manifest> made = TRY(object::sign_object(publisher, std::move(manifest)));
    const codec::Cid root = codec::Cid::of(codec::Codec::kRaw, made.bytes);
    Bytes archive = codec::car_header({root});
    codec::append_car_block(archive, root, made.bytes);
    append(archive, blocks);
    return archive;
  };
  Result<Bytes> built = build();
  if (!built.ok()) return fail(built.code(), path + ": " + built.error().message);
  return built;
}

Result<Bundle> open_bundle(ByteView archive) {
  Result<codec::CarReader> opened = codec::CarReader::open(archive);
  if (!opened.ok()) return fail(opened.code(), "this is no bundle (" + opened.error().message + ")");
  codec::CarReader reader = std::move(opened).value();
  if (reader.roots().size() != 1) return fail(Errc::kInvalid, "this archive is no bundle: it has not one root");
  std::map<codec::Cid, Bytes> blocks;
  while (std::optional<codec::CarBlock> block = TRY(reader.next())) blocks.emplace(block->cid, to_bytes(block->bytes));
  const auto root = blocks.find(reader.roots().front());
  if (root == blocks.end()) return fail(Errc::kNotFound, "the archive lacks its manifest");
  const crypto::Ed25519Verifier verifier;
  Bundle bundle{TRY(object::open_object<object::Manifest>(root->second, verifier)), {}};
  bundle.blocks = std::move(blocks);
  for (const auto* files : {&bundle.manifest.body.modules, &bundle.manifest.body.assets}) {
    for (const object::BundleFile& file : *files) {
      const Bytes content = TRY(bundle.file(file));
      if (content.size() != file.size) return fail(Errc::kIntegrity, file.path + " has another size than its manifest says");
    }
  }
  return bundle;
}

bool is_bundle(ByteView head) { return codec::CarReader::open(head).ok(); }

const char* bundle_example() {
  return R"(# What a bundle is made of:  selvedge bundle build bundle.toml -o wordcount.bundle
name = "wordcount"                 # words joined by dots; policies know its entries as bundle.wordcount.ENTRY
version = "1.0"
# origin = "KEY"                   # on whose behalf it runs; without it, yours
valid_for = "365d"
audit = "per_task"                 # summary, per_task, full
verifiability = "redundant"        # none, redundant, audited, proof_required
redundancy = 2
# assets = ["words.txt"]           # files that come along

[needs]                            # must lie within the grant and the policy where it runs
permissions = ["compute"]
cpu = "50%"
memory = "128M"

[[entry]]                          # an operation that can be called
name = "count"
module = "wordcount.wasm"          # beside this file
class = "deterministic"            # or service
risk = "low"                       # low, medium, high, critical
safety = "safe"                    # safe, risky (logged), dangerous (asks), forbidden (inside only)
idempotency = "strict"             # strict, best_effort, none (is never retried by itself)

# [attestation]                    # somebody's word on how the modules were built; shown, not believed by itself
# format = "reproducible-build"
# source_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
# statement = "attestation.json"
)";
}

}  // namespace selvedge::cli
