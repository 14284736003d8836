#include "cli/commands_secret.h"

#include <fmt/format.h>

#include "cli/secret_io.h"
#include "cli/shared.h"
#include "cli/units.h"
#include "crypto/drbg.h"
#include "crypto/sign.h"
#include "object/share_file.h"

namespace selvedge::cli {

namespace {

/// A holder whose share is no good is asked no more, and another one is; there are no more of them than holders.
constexpr size_t kCombineAttemptsMax = object::kSecretHoldersMax;

std::string holders_text(const node::SecretInfo& info) {
  std::string out;
  for (const node::SecretHolderInfo& holder : info.holders) out += (out.empty() ? "" : " ") + short_key(holder.node) + (holder.connected ? "" : " (away)");
  return out;
}

std::string shape_text(const node::SecretInfo& info) { return fmt::format("{} of {}", info.threshold, info.holders.size()); }

/// Asks the node, prints the record, and gives back the secret as it is now.
template <class Request>
Result<node::SecretInfo> ask_for_info(World& world, const Request& request) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  return read_answer<node::SecretInfo>(answer);
}

CommandResult split_into_files(World& world, const SecretSplitOptions& options, const crypto::LockedBytes& secret) {
  if (!options.holders.empty()) return fail(Errc::kInvalid, "--local makes share files and --holder gives shares to nodes: one of the two");
  crypto::Drbg drbg = crypto::Drbg::from_os();
  std::vector<std::string> files = TRY(object::make_share_files(options.name, secret.view(), options.threshold, options.count, drbg));
  TRY(make_dirs(options.local));
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string path = options.local + "/share-" + std::to_string(i + 1) + ".txt";
    const Status written = write_private(path, view(files[i]));
    crypto::wipe({reinterpret_cast<uint8_t*>(files[i].data()), files[i].size()});
    TRY(written);
    world.terminal.record(Record().text("share", path).number("number", i + 1).json());
    world.terminal.line(path);
  }
  world.terminal.line(fmt::format("Any {} of these {} give the secret: selvedge secret combine --local FILE... -o SECRET. Keep them apart, and then delete the original.",
                                  options.threshold, options.count));
  return kExitOk;
}

Result<object::SecretScheme> scheme_named(const std::string& name) {
  for (const auto scheme : {object::SecretScheme::kFeldman, object::SecretScheme::kPedersen, object::SecretScheme::kShamir}) {
    if (name == object::enum_name(scheme)) return scheme;
  }
  return fail(Errc::kInvalid, "--scheme is feldman, pedersen or shamir");
}

/// What came back from the holders, opened and checked. Names the holders whose share was no good.
struct Collected {
  object::SecretManifest manifest;
  std::vector<object::SharePlain> shares;
  std::vector<std::string> bad;
};

Result<Collected> collect(const node::SecretReleaseAnswer& answer, const crypto::SealKeyPair& reply) {
  const Bytes bytes = TRY(from_hex(answer.manifest));
  const auto manifest = TRY(object::open_object<object::SecretManifest>(bytes, crypto::Ed25519Verifier()));
  Collected out;
  out.manifest = manifest.body;
  for (const node::ReleasedShare& each : answer.shares) {
    const object::ShareSeal seal{object::ShareSeal::Use::kRelease, manifest.body.secret, manifest.body.generation, 0, answer.nonce};
    const Result<Bytes> sealed = from_hex(each.sealed);
    Result<object::SharePlain> share = sealed.ok() ? object::open_share(*sealed, seal, uint8_t(each.number), reply) : Result<object::SharePlain>(sealed.error());
    if (share.ok() && object::check_share(manifest.body, *share).ok()) out.shares.push_back(std::move(share).value());
    else out.bad.push_back(codec::key_text(each.node));
  }
  return out;
}

}  // namespace

Result<crypto::LockedBytes> gather_secret(World& world, const std::string& name, const std::string& purpose, const std::string& scope) {
  crypto::Drbg drbg = crypto::Drbg::from_os();
  const auto client = TRY(Client::connect(world.home, nullptr));
  std::vector<std::string> without;
  for (size_t attempt = 0; attempt < kCombineAttemptsMax; ++attempt) {
    const crypto::SealKeyPair reply(drbg.seed());  // for this one answer
    const Json json = TRY(client->ask_json(node::SecretReleaseRequest{name, purpose, scope, reply.public_key().hex(), without}));
    const Collected collected = TRY(collect(TRY(read_answer<node::SecretReleaseAnswer>(json)), reply));
    for (const std::string& bad : collected.bad) {
      world.terminal.remark("The share of " + bad.substr(0, 12) + " is not the one that was dealt. Asking without it.");
      without.push_back(bad);
    }
    if (!collected.bad.empty()) continue;
    crypto::LockedBytes secret = TRY(object::combine_secret(collected.manifest, collected.shares));
    if (!secret.locked()) world.terminal.remark("The system did not let the secret's memory be locked (ulimit -l), so it could be written to the swap.");
    return secret;
  }
  return fail(Errc::kIntegrity, "too many holders gave shares that are not those that were dealt");
}

CommandResult run_secret_split(World& world, const SecretSplitOptions& options) {
  const bool local = !options.local.empty();
  SecretSplitOptions named = options;
  if (named.name.empty()) named.name = options.file == "-" ? "secret" : options.file.substr(options.file.rfind('/') + 1);
  if (options.threshold == 0) return fail(Errc::kInvalid, "say how many shares it takes: -k 2");
  if (local && options.count == 0) return fail(Errc::kInvalid, "say how many share files to make: -n 3");
  if (!local && options.holders.empty()) return fail(Errc::kInvalid, "name the nodes that hold a share (--holder NODE, as often as needed), or a folder for share files (--local DIR)");
  const crypto::LockedBytes secret = TRY(read_secret(options.file, object::kSecretSizeMax));
  if (local) return split_into_files(world, named, secret);
  const object::SecretScheme scheme = TRY(scheme_named(options.scheme));
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json prepared_json = TRY(client->ask_json(node::SecretPrepareRequest{named.name, options.holders, options.threshold, options.one_owner}));
  const auto prepared = TRY(read_answer<node::SecretPrepareAnswer>(prepared_json));
  node::SecretStoreRequest request;
  std::vector<crypto::SealPublicKey> seal_keys;
  for (const node::SecretHolderInfo& holder : prepared.holders) {
    seal_keys.push_back(holder.seal_key);
    request.holders.push_back(codec::key_text(holder.node));
  }
  crypto::Drbg drbg = crypto::Drbg::from_os();
  const object::SplitSecret split = TRY(object::split_secret(scheme, secret.view(), options.threshold, prepared.zone, prepared.owner, seal_keys, drbg));
  request.name = named.name;
  request.secret = split.secret.hex();
  request.scheme = options.scheme;
  request.threshold = options.threshold;
  for (const object::CommitmentBytes& each : split.commitments) request.commitments.push_back(each.hex());
  request.sealed = to_hex(split.sealed);
  for (const Bytes& each : split.shares) request.shares.push_back(to_hex(each));
  request.seconds = TRY(parse_seconds(options.duration));
  request.one_owner = options.one_owner;
  const Json answer = TRY(client->ask_json(request));
  world.terminal.record(answer.dump());
  const auto info = TRY(read_answer<node::SecretInfo>(answer));
  world.terminal.line(fmt::format("Secret \"{}\" is shared {} among {}.", info.name, shape_text(info), holders_text(info)));
  world.terminal.line("Use it: selvedge secret use " + info.name + " -- COMMAND. See that it combines before you delete the original.");
  return kExitOk;
}

CommandResult run_secret_combine(World& world, const SecretCombineOptions& options) {
  if (options.files.empty()) {
    if (options.name.empty()) return fail(Errc::kInvalid, "name the secret (selvedge secret list), or share files (--local FILE FILE...)");
    const crypto::LockedBytes secret = TRY(gather_secret(world, options.name, options.purpose.empty() ? "combined by hand" : options.purpose, "combine"));
    TRY(write_secret(options.out, secret.view()));
  } else {
    if (!options.name.empty()) return fail(Errc::kInvalid, "--local takes share files, and no name");
    std::vector<object::ShareFile> files;
    for (const std::string& path : options.files) {
      const crypto::LockedBytes text = TRY(read_secret(path, object::kShareFileSizeMax));
      Result<object::ShareFile> file = object::parse_share_file(to_string_view(text.view()));
      if (!file.ok()) return fail(file.code(), path + ": " + file.error().message);
      files.push_back(std::move(file).value());
    }
    const crypto::LockedBytes secret = TRY(object::combine_share_files(files));
    TRY(write_secret(options.out, secret.view()));
  }
  if (options.out != "-") {
    world.terminal.record(Record().text("written", options.out).json());
    world.terminal.line("Written to " + options.out + ", readable by you alone.");
  }
  return kExitOk;
}

CommandResult run_secret_use(World& world, const SecretUseOptions& options) {
  if (options.command == nullptr || options.command->empty()) {
    return fail(Errc::kInvalid, "say what to run with the secret, after --: selvedge secret use NAME -- COMMAND {}");
  }
  std::string scope = "use " + options.command->front();
  if (scope.size() > object::kSecretPurposeSizeMax) scope.resize(object::kSecretPurposeSizeMax);
  const std::string purpose = options.purpose.empty() ? "used by a command" : options.purpose;
  return run_with_secret(*options.command, options.on_input ? SecretPlace::kInput : SecretPlace::kThird,
                         [&] { return gather_secret(world, options.name, purpose, printable(scope)); });
}

CommandResult run_secret_list(World& world) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::SecretListRequest{}));
  for (size_t i = 0; i < answer.at("secrets").size(); ++i) world.terminal.record(answer.at("secrets").item(i).dump());
  const auto list = TRY(read_answer<node::SecretListAnswer>(answer));
  Table table({"secret", "shares", ">generation", "scheme", ">size", "holders", "expires", "others who may ask"});
  for (const node::SecretInfo& info : list.secrets) {
    std::string allowed;
    for (const crypto::PublicKey& node : info.allowed) allowed += (allowed.empty() ? "" : " ") + short_key(node);
    if (info.unsettled > 0) allowed += fmt::format("{}({} holders still to erase)", allowed.empty() ? "" : " ", info.unsettled);
    table.row({info.name, shape_text(info), std::to_string(info.generation), info.scheme, format_bytes(info.bytes), holders_text(info), when(info.expires), allowed});
  }
  if (table.empty()) world.terminal.line("No secrets. Split one: selvedge secret split FILE --name NAME -k 2 --holder NODE --holder NODE --holder NODE");
  else table.print(world.terminal);
  return kExitOk;
}

CommandResult run_secret_refresh(World& world, const SecretNameOptions& options) {
  const node::SecretInfo info = TRY(ask_for_info(world, node::SecretRefreshRequest{options.name}));
  world.terminal.line(fmt::format("Secret \"{}\" has new shares, generation {}. Those before are worth nothing any more.", info.name, info.generation));
  return kExitOk;
}

CommandResult run_secret_reshare(World& world, const SecretReshareOptions& options) {
  const node::SecretInfo info = TRY(ask_for_info(world, node::SecretReshareRequest{options.name, options.threshold, options.holders, options.one_owner}));
  world.terminal.line(fmt::format("Secret \"{}\" is shared {} among {} now, generation {}.", info.name, shape_text(info), holders_text(info), info.generation));
  if (info.unsettled > info.holders.size()) world.terminal.line("Holders that left and are away erase their shares when they are back.");
  return kExitOk;
}

CommandResult run_secret_remove(World& world, const SecretNameOptions& options) {
  const node::SecretInfo info = TRY(ask_for_info(world, node::SecretRemoveRequest{options.name}));
  world.terminal.line("Secret \"" + info.name + "\" is gone. Holders erase their shares, those that are away when they are back.");
  return kExitOk;
}

CommandResult run_secret_allow(World& world, const SecretNameOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::SecretAllowRequest{options.name, options.node, TRY(parse_seconds(options.duration))}));
  world.terminal.record(answer.dump());
  const auto leave = TRY(read_answer<node::SecretLeaveAnswer>(answer));
  world.terminal.line(fmt::format("Node {} may ask for \"{}\" until {}. Take it back: selvedge secret deny {} {}", short_key(leave.node), options.name,
                                  when(leave.expires), options.name, options.node));
  return kExitOk;
}

CommandResult run_secret_deny(World& world, const SecretNameOptions& options) {
  const auto client = TRY(Client::connect(world.home, nullptr));
  const Json answer = TRY(client->ask_json(node::SecretDenyRequest{options.name, options.node}));
  world.terminal.record(answer.dump());
  const auto leave = TRY(read_answer<node::SecretLeaveAnswer>(answer));
  world.terminal.line("Node " + short_key(leave.node) + " may not ask for \"" + options.name + "\" any more. What it asked for before, it has: if that matters, change the secret itself.");
  return kExitOk;
}

}  // namespace selvedge::cli
