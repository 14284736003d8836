// selvedge bundle: programs as signed, content-addressed packages.
#include <fmt/format.h>
#include <time.h>

#include "cli/bundle_file.h"
#include "cli/commands.h"
#include "cli/files.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "codec/multibase.h"
#include "host/daemon/home.h"
#include "object/permission.h"
#include "wasm/rewrite.h"

namespace selvedge::cli {

namespace {

Result<Bundle> read_bundle(const std::string& path) {
  const Bytes archive = TRY(read_whole(path, kBundleFileSizeMax));
  Result<Bundle> bundle = open_bundle(archive);
  if (!bundle.ok()) return fail(bundle.code(), path + ": " + bundle.error().message);
  return bundle;
}

void print_manifest(World& world, const object::Signed<object::Manifest>& manifest) {
  const object::Manifest& body = manifest.body;
  Record record;
  record.text("bundle", manifest.id.hex()).raw("manifest", codec::to_json_text(body));
  world.terminal.record(record.json());
  world.terminal.line(fmt::format("{} {}  bundle {}", body.name, body.version, manifest.id.hex()));
  world.terminal.line("published by " + codec::key_text(body.publisher) + (body.publisher == body.origin ? "" : " for " + codec::key_text(body.origin)) + ", valid " + when(body.expires));
  world.terminal.line(fmt::format("needs {}; {:g}% cpu, {} of memory, {} of storage", object::class_names(body.needs.classes), body.needs.cpu_permille / 10.0,
                                  format_bytes(body.needs.memory_bytes), format_bytes(body.needs.storage_bytes)));
  world.terminal.line(fmt::format("results: {}, {} machines; receipts: {}", object::enum_name(body.verifiability), body.redundancy, object::enum_name(body.audit)));
  if (body.attestation) world.terminal.line("attested (" + printable(body.attestation->format) + "): built from source " + body.attestation->source.hex());
  Table entries({"entry", "module", "class", "risk", "safety", "idempotency"});
  for (const object::BundleEntry& entry : body.entries) {
    entries.row({entry.operation.name, printable(entry.module), object::enum_name(entry.domain), object::enum_name(entry.operation.risk),
                 object::enum_name(entry.operation.safety), object::enum_name(entry.operation.idempotency)});
  }
  entries.print(world.terminal);
  Table files({"file", ">size", "content id"});
  for (const auto* list : {&body.modules, &body.assets}) {
    for (const object::BundleFile& file : *list) files.row({printable(file.path), format_bytes(file.size), file.cid.text()});
  }
  files.print(world.terminal);
}

}  // namespace

CommandResult run_bundle_example(World& world) {
  world.terminal.line(bundle_example());
  return kExitOk;
}

CommandResult run_bundle_build(World& world, const BundleOptions& options) {
  const host::Home home = TRY(host::Home::open(world.home));
  const host::HomeKeys keys = TRY(home.load_keys());
  if (!keys.root) return fail(Errc::kUnauthorized, "this device does not hold the owner's key: do it on the one that does (selvedge bundle build)");
  const crypto::Ed25519Signer publisher(keys.root->owner);
  const Bytes archive = TRY(build_bundle(options.file, publisher, uint64_t(time(nullptr)), options.resumable ? Modules::kResumable : Modules::kAsTheyAre));
  TRY(write_whole(options.out, archive));
  const Bundle bundle = TRY(open_bundle(archive));
  print_manifest(world, bundle.manifest);
  world.terminal.line(fmt::format("Wrote {} ({}). Run it: selvedge run {} --entry {}", options.out, format_bytes(archive.size()), options.out,
                                  bundle.manifest.body.entries.front().operation.name));
  return kExitOk;
}

CommandResult run_bundle_inspect(World& world, const BundleOptions& options) {
  print_manifest(world, TRY(read_bundle(options.file)).manifest);
  return kExitOk;
}

CommandResult run_bundle_verify(World& world, const BundleOptions& options) {
  const Bundle bundle = TRY(read_bundle(options.file));
  const object::Manifest& body = bundle.manifest.body;
  if (!options.publisher.empty() && TRY(codec::parse_key(options.publisher)) != body.publisher) {
    return fail(Errc::kUnauthorized, options.file + " is signed by " + codec::key_text(body.publisher) + ", not by the publisher you named");
  }
  if (!options.bundle.empty() && bundle.manifest.id.hex().compare(0, options.bundle.size(), options.bundle) != 0) {
    return fail(Errc::kIntegrity, options.file + " is bundle " + bundle.manifest.id.hex() + ", not the one you pinned");
  }
  if (body.expires <= uint64_t(time(nullptr))) return fail(Errc::kExpired, options.file + " has expired: ask its publisher for a newer one");
  const wasm::RewriteLimits limits;
  for (const object::BundleFile& module : body.modules) {
    const Result<wasm::Rewritten> checked = wasm::rewrite(TRY(bundle.file(module)), limits);
    if (!checked.ok()) return fail(checked.error().code, module.path + " cannot run in the fabric: " + checked.error().message);
  }
  Record record;
  record.text("bundle", bundle.manifest.id.hex()).text("publisher", codec::key_text(body.publisher)).flag("valid", true);
  world.terminal.record(record.json());
  world.terminal.line(fmt::format("ok  {} {}: signed by {}, {} files are what the manifest says, every module can run", body.name, body.version, codec::key_text(body.publisher),
                                  body.modules.size() + body.assets.size()));
  if (options.publisher.empty()) world.terminal.remark("Whether that key is the publisher's, only you can know: --publisher KEY checks it.");
  return kExitOk;
}

}  // namespace selvedge::cli
