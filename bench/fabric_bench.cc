// The whole fabric beside its parts: five node processes on loopback, and each stage of put and get alone, in one run.
//
//   put, get    one file through the origin's node to four hosts and back; MB/s, and CPU of all five processes
//   stages      hash, fountain, AEAD, QUIC, disk: the same bytes through each stage alone, scaled by what put sends
//   tasks       tiny tasks, each agreed on by two owners' machines; tasks per second
//   idle        resident memory of a node that does nothing
//
// MB and GB are decimal. CPU is user + system. The ratio says how much the fabric costs above the sum of its stages.
// --quick: small sizes, so that the benchmark runs as a test and never rots.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cli/client.h"
#include "codec/multibase.h"
#include "crypto/aead.h"
#include "crypto/drbg.h"
#include "crypto/hash.h"
#include "fountain/fountain.h"
#include "host/daemon/home.h"
#include "host/disk/disk.h"
#include "host/loop/loop.h"
#include "host/quic/quic.h"
#include "mesh/coding.h"

using namespace selvedge;

namespace {

constexpr size_t kHosts = 4;

double cpu_self() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto s = [](const timeval& t) { return double(t.tv_sec) + double(t.tv_usec) / 1e6; };
  return s(usage.ru_utime) + s(usage.ru_stime);
}

double wall_now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) / 1e9;
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "fabric_bench: %s\n", why.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result.ok()) give_up(result.error().message);
  return std::move(result).value();
}

// ---- five nodes

struct NodeProcess {
  pid_t pid = -1;
  std::string home;
  std::string owner;
  std::unique_ptr<cli::Client> client;
};

double cpu_of(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t after_name = text.rfind(')');
  if (after_name == std::string::npos) return 0;
  unsigned long user = 0, system = 0;
  std::sscanf(text.c_str() + after_name + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system);
  return double(user + system) / double(sysconf(_SC_CLK_TCK));
}

double resident_mb(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6)) / 1000;
  }
  return 0;
}

NodeProcess start_node(const std::string& bin, const std::string& dir, const std::string& name) {
  NodeProcess node;
  node.home = dir + "/" + name;
  node.owner = must(host::Home::create(node.home)).owner_key;
  int ready[2];
  if (pipe(ready) != 0) give_up("no pipe");
  node.pid = fork();
  if (node.pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ready[1], STDOUT_FILENO);
    close(ready[0]);
    execl((bin + "/selvedge").c_str(), "selvedge", "--home", node.home.c_str(), "--json", "up", "--listen", "127.0.0.1:0", nullptr);
    _exit(127);
  }
  close(ready[1]);
  char line[4096];
  const ssize_t got = read(ready[0], line, sizeof line);
  if (got <= 0) give_up("a node did not start");
  node.client = must(cli::Client::connect(node.home, nullptr));
  return node;
}

struct Fabric {
  NodeProcess origin;
  std::vector<NodeProcess> hosts;
  double cpu() const {
    double sum = cpu_of(origin.pid);
    for (const NodeProcess& host : hosts) sum += cpu_of(host.pid);
    return sum;
  }
  ~Fabric() {
    for (NodeProcess& host : hosts) kill(host.pid, SIGKILL);
    kill(origin.pid, SIGKILL);
    while (wait(nullptr) > 0) {
    }
  }
};

std::unique_ptr<Fabric> start_fabric(const std::string& bin, const std::string& dir) {
  auto fabric = std::make_unique<Fabric>();
  fabric->origin = start_node(bin, dir, "origin");
  for (size_t i = 0; i < kHosts; ++i) fabric->hosts.push_back(start_node(bin, dir, "host" + std::to_string(i)));
  for (NodeProcess& host : fabric->hosts) {
    node::GrantGiveRequest grant;
    grant.origin = fabric->origin.owner;
    grant.cpu_permille = 1000;
    grant.storage_bytes = uint64_t(8) << 30;
    must(host.client->ask_json(grant));
    node::PeerAddRequest add;
    add.ticket = must(host.client->ask(node::TicketRequest{})).ticket;
    must(fabric->origin.client->ask_json(add));
  }
  const double until = wall_now() + 10;
  while (wall_now() < until) {
    const auto grants = must(fabric->origin.client->ask(node::GrantListRequest{})).grants;
    if (std::count_if(grants.begin(), grants.end(), [](const node::GrantInfo& g) { return g.state == "active"; }) == long(kHosts)) return fabric;
  }
  give_up("the hosts did not connect");
}

node::FileName file_of(const std::string& path, const std::string& name) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) give_up("cannot read " + path);
  return {path, name, uint64_t(in.tellg())};
}

struct Figure {
  double wall_s = 0;
  double cpu_s = 0;
};

Figure timed(const std::function<double()>& cpu, const std::function<void()>& work) {
  const double cpu_before = cpu(), wall_before = wall_now();
  work();
  return {wall_now() - wall_before, cpu() - cpu_before};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// ---- stages alone: CPU seconds for `bytes` of input

double stage_hash(const Bytes& data) {
  return timed(cpu_self, [&] {
           for (size_t at = 0; at < data.size(); at += 262144) crypto::sha256(ByteView(data).subspan(at, std::min<size_t>(262144, data.size() - at)));
         }).cpu_s;
}

// Encodes with the same blocks and overhead as put; returns the CPU and how many symbol bytes came out.
double stage_fountain(const Bytes& data, double* expansion) {
  const auto plans = fountain::PlanCache::create();
  constexpr uint32_t k = mesh::kBlockSymbolsMax;
  const uint32_t share = (k + mesh::kDecodeMargin + kHosts - 2) / (kHosts - 1);
  std::vector<uint32_t> esis(share * kHosts);
  for (uint32_t i = 0; i < esis.size(); ++i) esis[i] = i;
  *expansion = double(esis.size()) / k;
  Bytes out(esis.size() * size_t(mesh::kSymbolBytes));
  const size_t block = size_t(k) * mesh::kSymbolBytes;
  return timed(cpu_self, [&] {
           for (size_t at = 0; at + block <= data.size(); at += block) {
             const auto encoder = fountain::BlockEncoder::create(ByteView(data).subspan(at, block), mesh::kSymbolBytes, plans);
             encoder->symbols(esis, out.data(), mesh::kSymbolBytes);
           }
         }).cpu_s;
}

double stage_aead(Bytes data) {
  crypto::Drbg drbg(crypto::Seed{});
  const crypto::AeadKey key = drbg.seed();
  uint64_t counter = 0;
  return timed(cpu_self, [&] {
           for (size_t at = 0; at + 1024 <= data.size(); at += 1024) {
             crypto::Nonce nonce;
             store_u64(nonce.bytes.data(), ++counter);
             crypto::aead_seal(key, nonce, {}, std::span<uint8_t>(data).subspan(at, 1024));
           }
         }).cpu_s;
}

// Both ends in this process: the CPU of sender and receiver together, as in the fabric.
double stage_quic(uint64_t bytes) {
  host::Loop loop(1);
  crypto::Drbg drbg(crypto::Drbg::from_os());
  const auto config = [&] {
    host::QuicConfig c;
    c.listen = "127.0.0.1:0";
    c.node_seed = drbg.seed();
    return c;
  };
  uint64_t received = 0, sent = 0, link = 0;
  std::unique_ptr<host::QuicEndpoint> from;
  constexpr size_t kMessage = 66'000;
  const auto feed = [&] {
    while (sent < bytes && from->send(link, host::Channel::kBulk, Bytes(kMessage)).ok()) sent += kMessage;
  };
  host::QuicEndpoint::Events to_events, from_events;
  to_events.opened = [](uint64_t, const host::PeerKey&, bool, std::string) {};
  to_events.closed = [](uint64_t, Error) {};
  to_events.writable = [](uint64_t) {};
  to_events.message = [&](uint64_t, host::Channel, Bytes message) {
    received += message.size();
    if (received >= bytes) loop.stop();
  };
  from_events.opened = [&](uint64_t id, const host::PeerKey&, bool, std::string) {
    link = id;
    feed();
  };
  from_events.writable = [&](uint64_t) { feed(); };
  from_events.closed = [](uint64_t, Error) {};
  from_events.message = [](uint64_t, host::Channel, Bytes) {};
  auto to = must(host::QuicEndpoint::create(loop, config(), std::move(to_events)));
  from = must(host::QuicEndpoint::create(loop, config(), std::move(from_events)));
  return timed(cpu_self, [&] {
           from->dial(to->key(), to->address());
           loop.run();
         }).cpu_s;
}

double stage_disk(const std::string& dir, uint64_t bytes) {
  host::Loop loop(1);
  auto disk = must(host::Disk::open(loop, dir + "/stage"));
  constexpr size_t kSegment = 66'000;
  const uint64_t count = (bytes + kSegment - 1) / kSegment;
  uint64_t given = 0, done = 0;
  const auto give = [&] {
    while (given < count && given - done < 128) {
      store::DiskWrite write{++given, {}};
      Bytes key(41);
      store_u64(key.data(), given);
      write.writes.push_back({store::Column::kMeta, key, Bytes(64)});
      write.writes.push_back({store::Column::kSymbols, key, Bytes(kSegment, uint8_t(given))});
      disk->execute(std::move(write));
    }
  };
  host::Disk::Answers answers;
  answers.persisted = [&](uint64_t) {
    if (++done == count) loop.stop();
    give();
  };
  answers.write_failed = [](uint64_t, const Error& error) { give_up(error.message); };
  answers.loaded = [](uint64_t, std::vector<std::optional<Bytes>>) {};
  answers.load_failed = [](uint64_t, const Error&) {};
  disk->set_answers(answers);
  return timed(cpu_self, [&] {
           give();
           loop.run();
         }).cpu_s;
}

// Writing what came back to its file: most of it is the kernel's page cache.
double stage_file(const std::string& dir, const Bytes& data) {
  const std::string path = dir + "/stage-file";
  const double cpu = timed(cpu_self, [&] {
                       const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
                       for (size_t at = 0; at < data.size();) {
                         const ssize_t put = write(fd, data.data() + at, std::min<size_t>(mesh::kGroupBytesMax, data.size() - at));
                         if (put <= 0) give_up("cannot write " + path);
                         at += size_t(put);
                       }
                       fsync(fd);
                       close(fd);
                     }).cpu_s;
  unlink(path.c_str());
  return cpu;
}

struct Stages {
  double hash, fountain, aead, quic, disk, file, expansion;
  double put() const { return hash + fountain + aead + quic + disk; }
  // A get moves and opens K symbols, decodes, hashes and writes a file; it writes no symbols.
  double get() const { return hash + fountain + (aead + quic) / expansion + file; }
};

Stages run_stages(const Bytes& data, const std::string& dir) {
  Stages s{};
  s.hash = stage_hash(data);
  s.fountain = stage_fountain(data, &s.expansion);
  const uint64_t sealed = uint64_t(double(data.size()) * s.expansion);
  s.aead = stage_aead(data) * s.expansion;
  s.quic = stage_quic(sealed);
  s.disk = stage_disk(dir, sealed);
  s.file = stage_file(dir, data);
  return s;
}

void write_random(const std::string& path, uint64_t bytes, uint64_t seed) {
  Rng rng(seed);
  std::ofstream out(path, std::ios::binary);
  std::vector<uint64_t> words(131072);
  for (uint64_t at = 0; at < bytes; at += words.size() * 8) {
    for (uint64_t& word : words) word = rng.next();
    out.write(reinterpret_cast<const char*>(words.data()), std::streamsize(std::min<uint64_t>(words.size() * 8, bytes - at)));
  }
  if (!out.flush()) give_up("cannot write " + path);
}

void bench_bytes(Fabric& fabric, const std::string& dir, uint64_t bytes, int rounds) {
  std::vector<double> put_mbs, put_cpu, get_mbs, get_cpu, ratio_put, ratio_get;
  Stages shown{};
  const double gb = double(bytes) / 1e9;
  for (int round = 0; round < rounds; ++round) {
    const std::string path = dir + "/input";
    write_random(path, bytes, uint64_t(round) + 1);
    Bytes data(bytes);
    std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(data.data()), std::streamsize(bytes));
    const Stages stages = run_stages(data, dir + "/" + std::to_string(round));
    std::string cid;
    const Figure put = timed([&] { return fabric.cpu(); }, [&] {
      const node::PutAnswer answer = must(fabric.origin.client->ask(node::PutRequest{{file_of(path, "input")}}));
      cid = answer.files.front().cid.text();
    });
    const Figure get = timed([&] { return fabric.cpu(); }, [&] { must(fabric.origin.client->ask_json(node::GetRequest{cid, dir + "/output"})); });
    std::ifstream back(dir + "/output", std::ios::binary);
    Bytes read(bytes);
    back.read(reinterpret_cast<char*>(read.data()), std::streamsize(bytes));
    if (read != data) give_up("what came back is not what was put");
    put_mbs.push_back(double(bytes) / 1e6 / put.wall_s);
    put_cpu.push_back(put.cpu_s / gb);
    get_mbs.push_back(double(bytes) / 1e6 / get.wall_s);
    get_cpu.push_back(get.cpu_s / gb);
    ratio_put.push_back(put.cpu_s / stages.put());
    ratio_get.push_back(get.cpu_s / stages.get());
    shown = stages;
  }
  std::printf("%-34s %10s %14s %22s\n", "", "MB/s", "CPU-s per GB", "ratio to its stages");
  std::printf("%-34s %10.0f %14.2f %22.2f\n", "put over 4 hosts", median(put_mbs), median(put_cpu), median(ratio_put));
  std::printf("%-34s %10.0f %14.2f %22.2f\n", "get over 4 hosts", median(get_mbs), median(get_cpu), median(ratio_get));
  const auto row = [&](const char* name, double cpu_s) { std::printf("  stage alone: %-19s %10s %14.2f\n", name, "", cpu_s / gb); };
  row("hash (SHA-256)", shown.hash);
  row("fountain", shown.fountain);
  row("AEAD", shown.aead);
  row("QUIC, both ends", shown.quic);
  row("symbols on disk", shown.disk);
  row("the file that comes back", shown.file);
  std::printf("  (put sends %.2f times the input; AEAD, QUIC and disk are for that)\n", shown.expansion);
}

void bench_tasks(Fabric& fabric, const std::string& dir, const std::string& guests, size_t tasks, int rounds) {
  node::RunRequest run;
  run.module = file_of(guests + "/cat.wasm", "cat.wasm");
  run.out_dir = dir;
  for (size_t i = 0; i < tasks; ++i) {
    const std::string path = dir + "/task" + std::to_string(i);
    std::ofstream(path) << "tiny input " << i << "\n";
    run.inputs.push_back(file_of(path, "out" + std::to_string(i)));
  }
  must(fabric.origin.client->ask_json(run));  // domains are warm after this
  std::vector<double> rate, cpu;
  for (int round = 0; round < rounds; ++round) {
    run.seed = uint64_t(round) + 1;
    const Figure figure = timed([&] { return fabric.cpu(); }, [&] { must(fabric.origin.client->ask_json(run)); });
    rate.push_back(double(tasks) / figure.wall_s);
    cpu.push_back(figure.cpu_s * 1000 / double(tasks));
  }
  std::printf("tiny tasks, two owners agree: %.0f tasks/s, %.2f ms of node CPU each (bar 200/s: %.2fx)\n", median(rate), median(cpu), median(rate) / 200);
}

}  // namespace

int main(int argc, char** argv) {
  const bool quick = argc > 1 && std::strcmp(argv[1], "--quick") == 0;
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  const std::string bin = std::string(self, size_t(std::max<ssize_t>(length, 0))).substr(0, std::string(self, size_t(length)).rfind('/'));
  char dir[] = "/tmp/selvedge-bench-XXXXXX";
  if (mkdtemp(dir) == nullptr) give_up("no directory");
  {
    auto fabric = start_fabric(bin, dir);
    std::printf("idle node: %.1f MB resident (bar 60 MB: %.2fx)\n", resident_mb(fabric->hosts[0].pid), resident_mb(fabric->hosts[0].pid) / 60);
    bench_tasks(*fabric, dir, bin + "/../guests", quick ? 20 : 1000, quick ? 1 : 3);
    bench_bytes(*fabric, dir, quick ? 8u << 20 : 512u << 20, quick ? 1 : 3);
  }
  return std::system((std::string("rm -rf ") + dir).c_str()) == 0 ? 0 : 1;
}
