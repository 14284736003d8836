// Verbs about the keys of a home: show, export, import. They work on the files alone, whether or not the node runs.
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/files.h"
#include "cli/passphrase_input.h"
#include "cli/shared.h"
#include "host/daemon/key_backup.h"
#include "host/daemon/key_files.h"

namespace selvedge::cli {

namespace {

// Where the owner's hosts are, if the node runs and can say: after a loss they are where the owner's data is found again.
std::vector<host::HostHint> hints_of(const std::string& home) {
  std::vector<host::HostHint> hints;
  const auto client = Client::connect(home, nullptr);
  if (!client.ok()) return hints;
  const auto list = (*client)->ask(node::PeerListRequest{});
  if (!list.ok()) return hints;
  for (const node::PeerInfo& peer : list->peers) {
    host::HostHint hint{peer.node, peer.addresses};
    if (hint.addresses.size() > host::kBackupAddressesMax) hint.addresses.resize(host::kBackupAddressesMax);
    if (!hint.addresses.empty() && hint.validate().ok() && hints.size() < host::kBackupHintsMax) hints.push_back(std::move(hint));
  }
  return hints;
}

std::string holdings(bool root, bool node) { return root && node ? "the owner's key and this node's keys" : root ? "the owner's key" : "this node's keys"; }

}  // namespace

CommandResult run_key_show(World& world) {
  const host::Home home = TRY(host::Home::open(world.home));
  const host::HomeKeys keys = TRY(home.load_keys());
  const std::string seal = codec::zbase32_encode(crypto::SealKeyPair(keys.node.seal.clone()).public_key());
  Terminal& out = world.terminal;
  out.line("owner     " + home.owner_key);
  out.line("          " + (home.holds_root ? "its key is here: " + home.owner_key_path() : std::string("its key is not on this device")));
  out.line("node      " + home.node_key);
  out.line("          " + home.node_key_path());
  if (!keys.node.succeeds.is_zero()) out.line("succeeds  " + codec::key_text(keys.node.succeeds));
  out.line("seal      " + seal);
  if (home.holds_root) out.line("Keep a copy where a fire in this room does not reach it: selvedge key export -o FILE");
  Record record;
  record.text("owner", home.owner_key).flag("owner_key_here", home.holds_root).text("node", home.node_key).text("seal", seal);
  if (!keys.node.succeeds.is_zero()) record.text("succeeds", codec::key_text(keys.node.succeeds));
  out.record(record.json());
  return kExitOk;
}

CommandResult run_key_rotate(World& world) {
  const host::Home home = TRY(host::Home::open(world.home));
  const host::HomeLock lock = TRY(host::HomeLock::take(home));
  const host::HomeKeys keys = TRY(home.load_keys());
  crypto::Drbg drbg = crypto::Drbg::from_os();
  const host::NodeKeys fresh{keys.node.owner, drbg.seed(), drbg.seed(), keys.node.public_key()};
  const std::string fresh_key = codec::key_text(fresh.public_key());
  if (!home.holds_root) {
    TRY(home.save_next_keys(fresh));
    const std::string request = TRY(device_request_text(home));
    world.terminal.line(request);
    world.terminal.remark("The new key serves when the owner has said so: carry this to the device that holds the owner's key (selvedge device enroll REQUEST),\n"
                          "and its answer back here (selvedge device accept ANSWER). Until then this device goes on with the old one.");
    world.terminal.record(Record().text("old", home.node_key).text("node", fresh_key).text("request", request).json());
    return kExitOk;
  }
  TRY(home.replace_node_keys(fresh));
  world.terminal.line("This node has a new key: " + fresh_key);
  world.terminal.line("With its next start (selvedge up) the owner's key says that it takes the place of " + home.node_key + ", which is revoked then.");
  world.terminal.line("Its grants are signed anew, and peers that knew the old key go on with the new one. Older backups hold the old key: make a new one.");
  world.terminal.record(Record().text("old", home.node_key).text("node", fresh_key).json());
  return kExitOk;
}

CommandResult run_key_export(World& world, const KeyExportOptions& options) {
  const host::Home home = TRY(host::Home::open(world.home));
  host::HomeKeys keys = TRY(home.load_keys());
  const bool both = options.owner == options.node;  // neither named means both
  if (options.owner && !keys.root) return fail(Errc::kNotFound, "this device does not hold the owner's key: export it on the one that does (selvedge key show)");
  host::KeyBackup backup;
  if ((both || options.owner) && keys.root) backup.root = std::move(keys.root);
  if (both || options.node) backup.node = std::move(keys.node);
  backup.hints = hints_of(world.home);
  const crypto::LockedBytes passphrase = TRY(read_passphrase(options.passphrase_file, Ask::kTwice));
  crypto::Drbg drbg = crypto::Drbg::from_os();
  const std::string text = TRY(host::seal_key_backup(backup, passphrase.view(), crypto::PassphraseCost{}, drbg));
  const std::string what = holdings(backup.root.has_value(), backup.node.has_value());
  if (options.out == "-") {
    TRY(world.terminal.write_raw(text));
    return kExitOk;
  }
  const std::string path = TRY(absolute_path(options.out));
  TRY(host::write_private_file(path, view(text), host::IfThere::kRefuse));
  world.terminal.line(fmt::format("Wrote {} to {}, sealed with the passphrase. Without it nobody can open it, you included.", what, path));
  if (backup.hints.empty()) {
    world.terminal.remark("selvedge: it names no hosts, because the node does not run or knows none; after an import, add one by its ticket");
  }
  world.terminal.record(Record().text("file", path).flag("owner", backup.root.has_value()).flag("node", backup.node.has_value())
                            .number("hosts", backup.hints.size()).json());
  return kExitOk;
}

CommandResult run_key_import(World& world, const KeyImportOptions& options) {
  const Bytes text = TRY(read_whole(options.file, host::kBackupTextSizeMax));
  TRY(host::parse_key_backup_text(to_string(text)));  // what is no backup needs no passphrase
  const crypto::LockedBytes passphrase = TRY(read_passphrase(options.passphrase_file, Ask::kOnce));
  const host::KeyBackup backup = TRY(host::open_key_backup(to_string(text), passphrase.view()));
  const host::Home home = TRY(host::Home::restore(world.home, backup.root, backup.node));
  // Its being there says that this home was restored: the node then looks for the owner's index on hosts.
  if (!options.fresh) TRY(home.save_hints(codec::encode(backup.hints)));
  Terminal& out = world.terminal;
  out.line(fmt::format("Restored {} into {}.", holdings(backup.root.has_value(), backup.node.has_value()), home.dir));
  out.line("  owner  " + home.owner_key);
  out.line("  node   " + home.node_key + (backup.node ? "" : "  (new: the backup held no node's keys)"));
  if (backup.node) out.line("Start it only if the machine it was taken from is gone or switched off: two nodes with one key get in each other's way.");
  if (home.holds_root && !options.fresh) {
    out.line(backup.hints.empty() ? "The backup names no hosts. Once it runs, connect it to one that has your data (selvedge peer add TICKET): there it finds your index again."
                                  : "Once it runs it looks for your index on the hosts that the backup names (selvedge status shows when it has it).");
  }
  out.line("Start it with: selvedge --home " + home.dir + " up");
  out.record(Record().text("home", home.dir).text("owner", home.owner_key).text("node", home.node_key).flag("owner_key_here", home.holds_root)
                 .number("hosts", backup.hints.size()).json());
  return kExitOk;
}

}  // namespace selvedge::cli
