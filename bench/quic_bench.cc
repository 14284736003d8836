// How fast two nodes talk over QUIC on loopback, beside plain TCP and TLS over TCP measured in the same run.
//
// Each measurement is two processes, pinned to one CPU each where there are two. TLS is GnuTLS with the same cipher
// and the same mutual raw Ed25519 keys, so the ratio shows the transport and not the cryptography. Two packet sizes:
// Ethernet's, where QUIC works in user space what TCP leaves to the kernel, and jumbo frames. The last lines are the
// figures docs quote: throughput and CPU seconds per GB against TLS, and round trips and handshakes against both.
//
// quic_bench [--quick]
#include <arpa/inet.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "host/quic/quic.h"

using namespace selvedge;
using namespace selvedge::host;

namespace {

constexpr size_t kMessageBytes = 256 * 1024;
constexpr size_t kPingBytes = 64;

struct Plan {
  size_t bulk_messages = 4096;  // 1 GiB
  size_t handshakes = 300;
  size_t pings = 20'000;
};

double seconds_now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec) + double(t.tv_nsec) * 1e-9;
}

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  return double(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + double(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

void pin(int cpu) {
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void)sched_setaffinity(0, sizeof set, &set);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// What one transport did; zero is "not measured".
struct Figures {
  double bulk_mb_s = 0, client_cpu_s_gb = 0, server_cpu_s_gb = 0;
  double handshake_ms = 0;
  double pings_s = 0;
  double cpu() const { return client_cpu_s_gb + server_cpu_s_gb; }
};

// Two pipes between the client (this process) and a forked server.
struct Pipes {
  int to_client[2], to_server[2];
  Pipes() { CHECK(pipe(to_client) == 0 && pipe(to_server) == 0); }
  ~Pipes() {
    for (int fd : {to_client[0], to_client[1], to_server[0], to_server[1]}) close(fd);
  }
  template <class T>
  static void put(int fd, const T& value) {
    CHECK(write(fd, &value, sizeof value) == ssize_t(sizeof value));
  }
  template <class T>
  static T get(int fd) {
    T value{};
    CHECK(read(fd, &value, sizeof value) == ssize_t(sizeof value));
    return value;
  }
};

// Runs `server` in a child and `client` here. The server reports its port first and its CPU seconds over bulk last.
Figures run_pair(const Plan& plan, const std::function<void(Pipes&)>& server,
                 const std::function<Figures(Pipes&, uint16_t port)>& client) {
  Pipes pipes;
  fflush(stdout);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    pin(0);
    server(pipes);
    _exit(0);
  }
  pin(1);
  const uint16_t port = Pipes::get<uint16_t>(pipes.to_client[0]);
  Figures out = client(pipes, port);
  out.server_cpu_s_gb = Pipes::get<double>(pipes.to_client[0]) / (double(plan.bulk_messages * kMessageBytes) * 1e-9);
  int status = 0;
  waitpid(child, &status, 0);
  return out;
}

// ---- QUIC.

QuicConfig quic_config(uint8_t node, size_t payload) {
  QuicConfig config;
  config.listen = "127.0.0.1:0";
  config.node_seed.mutable_view()[0] = node;
  config.udp_payload_bytes_max = payload;
  return config;
}

void quic_server(const Plan& plan, size_t payload, Pipes& pipes) {
  Loop loop(1);
  QuicEndpoint* endpoint = nullptr;
  size_t bulk = 0;
  double cpu_before = 0;
  QuicEndpoint::Events events;
  events.message = [&](uint64_t id, Channel channel, Bytes message) {
    if (channel == Channel::kControl) {
      CHECK(endpoint->send(id, Channel::kControl, std::move(message)).ok());
      return;
    }
    if (bulk++ == 0) cpu_before = cpu_seconds();
    if (bulk < plan.bulk_messages) return;
    Pipes::put(pipes.to_client[1], cpu_seconds() - cpu_before);
    CHECK(endpoint->send(id, Channel::kControl, Bytes{1}).ok());
  };
  auto made = QuicEndpoint::create(loop, quic_config(2, payload), std::move(events));
  CHECK(made.ok());
  endpoint = made.value().get();
  const std::string address = endpoint->address();
  Pipes::put(pipes.to_client[1], uint16_t(std::stoul(address.substr(address.rfind(':') + 1))));
  Loop::Watch end(loop, pipes.to_server[0], [&](int) { loop.stop(); });
  end.set(Loop::Watch::kReadable);
  loop.run();
}

Figures quic_client(const Plan& plan, size_t payload, Pipes& pipes, uint16_t port) {
  Loop loop(1);
  Figures out;
  QuicEndpoint* endpoint = nullptr;
  std::function<void(uint64_t)> on_open, on_writable;
  std::function<void()> on_control, on_closed;
  QuicEndpoint::Events events;
  events.opened = [&](uint64_t id, const PeerKey&, bool, std::string) { on_open(id); };
  events.message = [&](uint64_t, Channel, Bytes) { on_control(); };
  events.closed = [&](uint64_t, Error) {
    if (on_closed) on_closed();
  };
  events.writable = [&](uint64_t id) { on_writable(id); };
  auto made = QuicEndpoint::create(loop, quic_config(1, payload), std::move(events));
  CHECK(made.ok());
  endpoint = made.value().get();
  Loop keys_loop(1);
  const PeerKey server_key = QuicEndpoint::create(keys_loop, quic_config(2, payload), {}).value()->key();
  const std::string address = "127.0.0.1:" + std::to_string(port);

  std::vector<double> handshakes;
  double started = seconds_now();
  on_open = [&](uint64_t id) {
    handshakes.push_back(seconds_now() - started);
    endpoint->close(id, "measured");
  };
  on_closed = [&] {
    if (handshakes.size() >= plan.handshakes) return loop.stop();
    started = seconds_now();
    endpoint->dial(server_key, address);
  };
  endpoint->dial(server_key, address);
  loop.run();
  out.handshake_ms = median(handshakes) * 1e3;

  on_closed = [] { CHECK_MSG(false, "the connection broke during the measurement"); };
  uint64_t connection = 0;
  on_open = [&](uint64_t id) {
    connection = id;
    loop.stop();
  };
  endpoint->dial(server_key, address);
  loop.run();

  size_t pings = 0;
  on_control = [&] {
    if (++pings >= plan.pings) return loop.stop();
    CHECK(endpoint->send(connection, Channel::kControl, Bytes(kPingBytes)).ok());
  };
  started = seconds_now();
  CHECK(endpoint->send(connection, Channel::kControl, Bytes(kPingBytes)).ok());
  loop.run();
  out.pings_s = double(pings) / (seconds_now() - started);

  size_t sent = 0;
  on_writable = [&](uint64_t id) {
    while (sent < plan.bulk_messages && endpoint->send(id, Channel::kBulk, Bytes(kMessageBytes, uint8_t(sent))).ok())
      ++sent;
  };
  on_control = [&] { loop.stop(); };
  const double cpu_before = cpu_seconds();
  started = seconds_now();
  on_writable(connection);
  loop.run();
  const double gigabytes = double(plan.bulk_messages * kMessageBytes) * 1e-9;
  out.bulk_mb_s = gigabytes * 1e3 / (seconds_now() - started);
  out.client_cpu_s_gb = (cpu_seconds() - cpu_before) / gigabytes;
  const QuicConnectionStats stats = endpoint->connection_stats(connection).value();
  fprintf(stderr, "quic %zu: packets of %zu bytes, rtt %.0f us, congestion window %.1f MB\n", payload,
          stats.udp_payload_bytes, double(stats.rtt_smoothed.ns) / 1e3, double(stats.congestion_window_bytes) / 1e6);
  on_closed = nullptr;
  Pipes::put(pipes.to_server[1], char(1));
  return out;
}

// ---- TCP, bare or under TLS.

struct Credentials {
  gnutls_certificate_credentials_t handle = nullptr;
  Credentials() {
    gnutls_x509_privkey_t key;
    gnutls_privkey_t abstract;
    gnutls_pubkey_t pub;
    gnutls_datum_t spki{}, pkcs8{};
    CHECK(gnutls_x509_privkey_init(&key) == 0 && gnutls_privkey_init(&abstract) == 0 && gnutls_pubkey_init(&pub) == 0);
    CHECK(gnutls_x509_privkey_generate(key, GNUTLS_PK_EDDSA_ED25519, 256, 0) == 0);
    CHECK(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_DER, nullptr, GNUTLS_PKCS_PLAIN, &pkcs8) == 0);
    CHECK(gnutls_privkey_import_x509(abstract, key, 0) == 0);
    CHECK(gnutls_pubkey_import_privkey(pub, abstract, 0, 0) == 0);
    CHECK(gnutls_pubkey_export2(pub, GNUTLS_X509_FMT_DER, &spki) == 0);
    CHECK(gnutls_certificate_allocate_credentials(&handle) == 0);
    CHECK(gnutls_certificate_set_rawpk_key_mem(handle, &spki, &pkcs8, GNUTLS_X509_FMT_DER, nullptr, 0, nullptr, 0, 0) >=
          0);
    gnutls_free(spki.data);
    gnutls_free(pkcs8.data);
    gnutls_pubkey_deinit(pub);
    gnutls_privkey_deinit(abstract);
    gnutls_x509_privkey_deinit(key);
  }
  ~Credentials() { gnutls_certificate_free_credentials(handle); }
};

// A connected socket, with TLS on it when credentials are given.
class Stream {
 public:
  Stream(int fd, const Credentials* credentials, unsigned side) : fd_(fd) {
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (credentials == nullptr) return;
    CHECK(gnutls_init(&session_, side | GNUTLS_ENABLE_RAWPK | GNUTLS_NO_TICKETS) == 0);
    CHECK(gnutls_priority_set_direct(session_,
                                     "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:-GROUP-ALL:+GROUP-X25519:"
                                     "-CTYPE-ALL:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK",
                                     nullptr) == 0);
    CHECK(gnutls_credentials_set(session_, GNUTLS_CRD_CERTIFICATE, credentials->handle) == 0);
    if (side == GNUTLS_SERVER) gnutls_certificate_server_set_request(session_, GNUTLS_CERT_REQUIRE);
    gnutls_transport_set_int(session_, fd);
    int code = 0;
    do code = gnutls_handshake(session_);
    while (code < 0 && gnutls_error_is_fatal(code) == 0);
    CHECK_MSG(code == 0, gnutls_strerror(code));
  }
  ~Stream() {
    if (session_ != nullptr) gnutls_deinit(session_);
    close(fd_);
  }
  void write_all(const uint8_t* data, size_t size) {
    while (size > 0) {
      const ssize_t n =
          session_ != nullptr ? gnutls_record_send(session_, data, size) : ::send(fd_, data, size, MSG_NOSIGNAL);
      CHECK(n > 0);
      data += n, size -= size_t(n);
    }
  }
  /// False at the end of the stream.
  bool read_some(uint8_t* data, size_t size, size_t& got) {
    const ssize_t n = session_ != nullptr ? gnutls_record_recv(session_, data, size) : ::recv(fd_, data, size, 0);
    got = n > 0 ? size_t(n) : 0;
    return n > 0;
  }
  bool read_all(uint8_t* data, size_t size) {
    for (size_t got = 0; size > 0; data += got, size -= got) {
      if (!read_some(data, size, got)) return false;
    }
    return true;
  }

 private:
  int fd_;
  gnutls_session_t session_ = nullptr;
};

int tcp_socket(int segment) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK(fd >= 0);
  (void)setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
  return fd;
}

void tcp_server(const Plan& plan, int segment, bool tls, Pipes& pipes) {
  std::optional<Credentials> credentials;
  if (tls) credentials.emplace();
  const int listener = tcp_socket(segment);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  CHECK(bind(listener, reinterpret_cast<sockaddr*>(&at), size) == 0 && listen(listener, 16) == 0);
  CHECK(getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) == 0);
  Pipes::put(pipes.to_client[1], ntohs(at.sin_port));
  const Credentials* handle = credentials ? &*credentials : nullptr;
  std::vector<uint8_t> buffer(kMessageBytes);
  for (size_t i = 0; i < plan.handshakes; ++i) {
    Stream stream(accept(listener, nullptr, nullptr), handle, GNUTLS_SERVER);
    uint8_t byte = 1;
    stream.write_all(&byte, 1);  // the client knows by this that its key was taken
    stream.read_all(&byte, 1);
  }
  Stream stream(accept(listener, nullptr, nullptr), handle, GNUTLS_SERVER);
  for (size_t i = 0; i < plan.pings; ++i) {
    CHECK(stream.read_all(buffer.data(), kPingBytes));
    stream.write_all(buffer.data(), kPingBytes);
  }
  const double cpu_before = cpu_seconds();
  const size_t total = plan.bulk_messages * kMessageBytes;
  for (size_t have = 0, got = 0; have < total; have += got) CHECK(stream.read_some(buffer.data(), buffer.size(), got));
  Pipes::put(pipes.to_client[1], cpu_seconds() - cpu_before);
  stream.write_all(buffer.data(), 1);
  (void)Pipes::get<char>(pipes.to_server[0]);
  close(listener);
}

Figures tcp_client(const Plan& plan, int segment, bool tls, Pipes& pipes, uint16_t port) {
  std::optional<Credentials> credentials;
  if (tls) credentials.emplace();
  const Credentials* handle = credentials ? &*credentials : nullptr;
  const auto connect_one = [&] {
    const int fd = tcp_socket(segment);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    at.sin_port = htons(port);
    CHECK(connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    return fd;
  };
  Figures out;
  std::vector<double> handshakes;
  for (size_t i = 0; i < plan.handshakes; ++i) {
    const double started = seconds_now();
    Stream stream(connect_one(), handle, GNUTLS_CLIENT);
    uint8_t byte = 0;
    CHECK(stream.read_all(&byte, 1));
    handshakes.push_back(seconds_now() - started);
    stream.write_all(&byte, 1);
  }
  out.handshake_ms = median(handshakes) * 1e3;

  Stream stream(connect_one(), handle, GNUTLS_CLIENT);
  std::vector<uint8_t> buffer(kMessageBytes, 7);
  double started = seconds_now();
  for (size_t i = 0; i < plan.pings; ++i) {
    stream.write_all(buffer.data(), kPingBytes);
    CHECK(stream.read_all(buffer.data(), kPingBytes));
  }
  out.pings_s = double(plan.pings) / (seconds_now() - started);

  const double cpu_before = cpu_seconds();
  started = seconds_now();
  for (size_t i = 0; i < plan.bulk_messages; ++i) stream.write_all(buffer.data(), buffer.size());
  CHECK(stream.read_all(buffer.data(), 1));
  const double gigabytes = double(plan.bulk_messages * kMessageBytes) * 1e-9;
  out.bulk_mb_s = gigabytes * 1e3 / (seconds_now() - started);
  out.client_cpu_s_gb = (cpu_seconds() - cpu_before) / gigabytes;
  Pipes::put(pipes.to_server[1], char(1));
  return out;
}

void print_row(const char* name, const Figures& f) {
  printf("%-22s %9.0f %10.2f %10.2f %12.3f %12.0f\n", name, f.bulk_mb_s, f.client_cpu_s_gb, f.server_cpu_s_gb,
         f.handshake_ms, f.pings_s);
}

void print_ratio(const char* name, const Figures& quic, const Figures& other) {
  printf("%-22s %9.2f %21.2f %12.2f %12.2f\n", name, quic.bulk_mb_s / other.bulk_mb_s, quic.cpu() / other.cpu(),
         quic.handshake_ms / other.handshake_ms, quic.pings_s / other.pings_s);
}

}  // namespace

int main(int argc, char** argv) {
  Plan plan;
  if (argc > 1 && std::strcmp(argv[1], "--quick") == 0) plan = {64, 5, 200};
  const auto quic = [&](size_t payload) {
    return run_pair(
        plan, [&](Pipes& p) { quic_server(plan, payload, p); },
        [&](Pipes& p, uint16_t port) { return quic_client(plan, payload, p, port); });
  };
  const auto tcp = [&](int segment, bool tls) {
    return run_pair(
        plan, [&](Pipes& p) { tcp_server(plan, segment, tls, p); },
        [&](Pipes& p, uint16_t port) { return tcp_client(plan, segment, tls, p, port); });
  };
  const Figures plain = tcp(1412, false), tls_small = tcp(1412, true), quic_small = quic(1452);
  const Figures tls_large = tcp(8912, true), quic_large = quic(8952);
  printf("loopback, %zu MB bulk, %zu handshakes, %zu round trips of %zu bytes, AES-128-GCM, mutual Ed25519\n",
         plan.bulk_messages * kMessageBytes / 1'000'000, plan.handshakes, plan.pings, kPingBytes);
  printf("%-22s %9s %10s %10s %12s %12s\n", "", "MB/s", "CPU-s/GB c", "CPU-s/GB s", "handshake ms", "round trips/s");
  print_row("tcp, mtu 1500", plain);
  print_row("tls, mtu 1500", tls_small);
  print_row("quic, mtu 1500", quic_small);
  print_row("tls, mtu 9000", tls_large);
  print_row("quic, mtu 9000", quic_large);
  printf("ratios (CPU-s/GB: both sides, below 1 is cheaper)\n");
  print_ratio("quic/tls, mtu 1500", quic_small, tls_small);
  print_ratio("quic/tls, mtu 9000", quic_large, tls_large);
  print_ratio("quic/tcp, mtu 1500", quic_small, plain);
  return 0;
}
