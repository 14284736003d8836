// A node that strangers flood, and what somebody honest notices of it: how long a new session takes (a handshake, and a Hello that the
// node must have looked at) and how long a request takes, with the flood and without, in one run. spec: FM 13
//
// The flood is of requests that cost the node a look into its store and an answer, from many keys over as many
// connections, as fast as the node reads them. --quick fails where one in ten of the honest one's first contacts takes longer than
// the bar of 50 ms.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/client.h"
#include "codec/multibase.h"
#include "crypto/hash.h"
#include "host/daemon/home.h"
#include "host/loop/loop.h"
#include "host/quic/quic.h"
#include "mesh/frame.h"
#include "mesh/messages.h"
#include "mesh/trunk.h"
#include "object/kinds.h"

using namespace selvedge;

namespace {

constexpr double kBarMs = 50;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "flood_bench: %s\n", why.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result.ok()) give_up(result.error().message);
  return std::move(result).value();
}

crypto::Seed seed_of(const std::string& name) { return crypto::Seed::from(crypto::sha256(view(name))).value(); }

struct Target {
  crypto::PublicKey key;
  std::string address;
};

/// Somebody with a key and an owner, who dials the node and asks it for symbols that it has not.
class Asker {
 public:
  enum class Manner : uint8_t { kPolite, kFlood };
  Asker(host::Loop& loop, const std::string& name, Target target, Manner manner)
      : loop_(loop), target_(std::move(target)), manner_(manner), owner_(seed_of("owner " + name)), node_(seed_of("node " + name)) {
    host::QuicConfig config;
    config.listen = "127.0.0.1:0";
    config.node_seed = seed_of("node " + name);
    host::QuicEndpoint::Events events;
    events.opened = [this](uint64_t link, const host::PeerKey&, bool, std::string) { on_open(link); };
    events.message = [this](uint64_t, host::Channel, Bytes message) { on_message(message); };
    events.closed = [this](uint64_t, Error why) {
      if (manner_ == Manner::kPolite) give_up("the node closed the link: " + why.message);
    };
    events.other_answered = [](uint64_t, const host::PeerKey&) {};
    events.writable = [this](uint64_t) { fill(); };
    endpoint_ = must(host::QuicEndpoint::create(loop, std::move(config), std::move(events)));
    began_ = loop_.now();
    endpoint_->dial(target_.key, target_.address);
  }

  void ask_polite() {
    began_ = loop_.now();
    ask();
  }
  std::vector<double> waits_ms;
  uint64_t answers = 0;

 private:
  void on_open(uint64_t link) {
    link_ = link;
    object::NodeRecord record;
    record.owner = owner_.public_key();
    record.node = node_.public_key();
    record.seal_key = crypto::SealKeyPair(seed_of("seal")).public_key();
    record.issued = loop_.now().unix_seconds();
    record.expires = record.issued + object::kDay;
    record.serial = 1;
    const Bytes signed_record = must(object::sign_object(owner_, record)).bytes;
    (void)endpoint_->send(link_, host::Channel::kControl, mesh::TrunkMessages::encode(mesh::Join{uint64_t(loop_.now().ns)}));
    mesh::Hello hello;
    hello.versions = {mesh::kProtocolVersion};
    hello.frame_bytes_max = uint32_t(mesh::kFrameBytesMax);
    hello.record = signed_record;
    (void)endpoint_->send(link_, host::Channel::kControl, mesh::MeshMessages::encode(hello));
    if (manner_ == Manner::kFlood) fill();
    else ask();
  }
  void ask() {
    mesh::SymbolRequest request;
    request.request = ++asked_;
    request.limits = {1};
    (void)endpoint_->send(link_, host::Channel::kControl, mesh::MeshMessages::encode(request));
  }
  /// As much as the connection takes.
  void fill() {
    for (int n = 0; n < 64 && manner_ == Manner::kFlood && asked_ < answers + 4096; ++n) ask();
  }
  void on_message(ByteView message) {
    if (message.empty() || message[0] != mesh::SymbolEnd::kType) return;
    ++answers;
    if (manner_ == Manner::kFlood) return fill();
    waits_ms.push_back((loop_.now() - began_).seconds() * 1e3);
    loop_.stop();
  }

  host::Loop& loop_;
  Target target_;
  Manner manner_;
  crypto::Ed25519Signer owner_, node_;
  std::unique_ptr<host::QuicEndpoint> endpoint_;
  uint64_t link_ = 0, asked_ = 0;
  Instant began_;
};

struct Measured {
  std::vector<double> contact_ms, request_ms;
};

double percentile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[std::min(values.size() - 1, size_t(p * double(values.size())))];
}

void run_until_answered(host::Loop& loop) {
  host::Loop::Timer deadline(loop, [] { give_up("the node did not answer within 20 s"); });
  deadline.set(loop.now() + seconds(20));
  loop.run();
}

Measured measure(const Target& target, size_t rounds) {
  Measured out;
  host::Loop loop;
  for (size_t round = 0; round < rounds; ++round) {
    Asker asker(loop, "polite " + std::to_string(getpid()) + " " + std::to_string(round), target, Asker::Manner::kPolite);
    for (size_t n = 1; n <= 5; ++n) {
      run_until_answered(loop);
      if (n < 5) asker.ask_polite();
    }
    out.contact_ms.push_back(asker.waits_ms[0]);
    out.request_ms.insert(out.request_ms.end(), asker.waits_ms.begin() + 1, asker.waits_ms.end());
  }
  return out;
}

void print(const char* name, const Measured& m) {
  std::printf("%-8s first contact %6.2f ms median %6.2f p99   request %6.2f ms median %6.2f p99\n", name, percentile(m.contact_ms, 0.5), percentile(m.contact_ms, 0.99),
              percentile(m.request_ms, 0.5), percentile(m.request_ms, 0.99));
}

/// Returns when the flood has run for a second.
pid_t start_flood(const Target& target, size_t flooders) {
  int running[2];
  if (pipe(running) != 0) give_up("no pipe");
  const pid_t pid = fork();
  if (pid != 0) {
    char line[128] = {};
    if (read(running[0], line, sizeof line - 1) <= 0) give_up("the flood did not start");
    std::printf("%s", line);
    return pid;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  host::Loop loop;
  std::vector<std::unique_ptr<Asker>> askers;
  for (size_t i = 0; i < flooders; ++i) askers.push_back(std::make_unique<Asker>(loop, "flood " + std::to_string(i), target, Asker::Manner::kFlood));
  host::Loop::Timer timer(loop, [&] {
    uint64_t answers = 0;
    for (const auto& asker : askers) answers += asker->answers;
    dprintf(running[1], "flood    %zu peers, %llu requests answered in the first second\n", flooders, static_cast<unsigned long long>(answers));
  });
  timer.set(loop.now() + seconds(1));
  loop.run();
  _exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  const std::string bin = std::filesystem::path(argv[0]).parent_path().string();
  char dir[] = "/tmp/selvedge-flood-XXXXXX";
  if (mkdtemp(dir) == nullptr) give_up("no folder for the node");
  const std::string home = std::string(dir) + "/node";
  const auto keys = must(host::Home::create(home));
  int ready[2];
  if (pipe(ready) != 0) give_up("no pipe");
  const pid_t node = fork();
  if (node == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ready[1], STDOUT_FILENO);
    close(ready[0]);
    execl((bin + "/selvedge").c_str(), "selvedge", "--home", home.c_str(), "--json", "up", "--listen", "127.0.0.1:0", nullptr);
    _exit(127);
  }
  close(ready[1]);
  char line[4096] = {};
  if (read(ready[0], line, sizeof line - 1) <= 0) give_up("the node did not start");
  const std::string text(line);
  const size_t at = text.find("127.0.0.1:");
  if (at == std::string::npos) give_up("the node did not say where it listens");
  const Target target{must(codec::parse_key(keys.node_key)), text.substr(at, text.find('"', at) - at)};

  const size_t rounds = quick ? 20 : 100;
  print("quiet", measure(target, rounds));
  const pid_t flood = start_flood(target, 40);
  const Measured flooded = measure(target, rounds);
  print("flooded", flooded);
  std::printf("bar      %.0f ms for what matters while strangers flood\n", kBarMs);
  kill(flood, SIGKILL);
  kill(node, SIGKILL);
  while (wait(nullptr) > 0) {
  }
  std::filesystem::remove_all(dir);
  if (quick && percentile(flooded.contact_ms, 0.9) > kBarMs) give_up("what matters waited for more than the bar");
  return 0;
}
