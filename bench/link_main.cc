// selvedge-link: a lossy, slow or dead network path on one machine, for tests and benchmarks.
//
// It listens on a UDP port and passes on what comes to `--to`, and answers back, each way at a rate, with a delay, a queue, a longest packet and a
// chance of loss, as a router with a slow line does. Prints its address; then each line on standard input changes it: "dead", "alive",
// "loss 100" (in a thousand), "delay 200" (ms, one way), "rate 50" (Mbit/s), "rebind" (the far side sees new ports from now on, as after a
// router forgot). Ends with its input.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"

using namespace selvedge;

namespace {

struct Line {
  double mbit = 100;
  int64_t delay_ms = 0;
  int64_t queue_ms = 25;   // more waits no longer: it is lost
  size_t packet_max = 1472;
  uint64_t loss_permille = 0;
  bool dead = false;
};

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

Instant now() {
  timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return Instant{int64_t(at.tv_sec) * 1'000'000'000 + at.tv_nsec};
}

sockaddr_in parse(const std::string& text) {
  sockaddr_in out{};
  const size_t colon = text.rfind(':');
  out.sin_family = AF_INET;
  out.sin_port = htons(uint16_t(std::atoi(text.substr(colon + 1).c_str())));
  if (colon == std::string::npos || inet_pton(AF_INET, text.substr(0, colon).c_str(), &out.sin_addr) != 1) {
    std::fprintf(stderr, "selvedge-link: \"%s\" is no address: 127.0.0.1:7443\n", text.c_str());
    std::exit(1);
  }
  return out;
}

int udp_socket(const sockaddr_in& at) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int bytes = 4 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) give_up("selvedge-link: bind");
  return fd;
}

/// One way through the line: packets leave it in order, each when the line has carried it.
class Way {
 public:
  void take(const Line& line, Rng& rng, Instant at, std::vector<uint8_t> bytes, int out, const sockaddr_in& to) {
    if (line.dead || bytes.size() > line.packet_max || rng.chance(line.loss_permille, 1000)) return;
    const Instant start = std::max(at, free_);
    if (start - at > milliseconds(line.queue_ms)) return;
    free_ = start + nanoseconds(int64_t(double(bytes.size() + 28) * 8000 / line.mbit));
    packets_.push_back({free_ + milliseconds(line.delay_ms), std::move(bytes), out, to});
  }
  Instant next() const { return packets_.empty() ? Instant::never() : packets_.front().at; }
  void give(const Line& line, Instant at) {
    for (; !packets_.empty() && packets_.front().at <= at; packets_.pop_front()) {
      const Packet& each = packets_.front();
      if (!line.dead) (void)!sendto(each.out, each.bytes.data(), each.bytes.size(), 0, reinterpret_cast<const sockaddr*>(&each.to), sizeof each.to);
    }
  }

 private:
  struct Packet {
    Instant at;
    std::vector<uint8_t> bytes;
    int out;
    sockaddr_in to;
  };
  std::deque<Packet> packets_;
  Instant free_{0};
};

class Emulator {
 public:
  Emulator(Line line, const sockaddr_in& listen, const sockaddr_in& to, uint64_t seed) : line_(line), to_(to), rng_(seed), front_(udp_socket(listen)) {}

  void print_address() const {
    sockaddr_in at{};
    socklen_t size = sizeof at;
    getsockname(front_, reinterpret_cast<sockaddr*>(&at), &size);
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &at.sin_addr, text, sizeof text);
    std::printf("%s:%u\n", text, unsigned(ntohs(at.sin_port)));
    std::fflush(stdout);
  }
  void run() {
    while (turn()) {
    }
  }

 private:
  struct Client {
    sockaddr_in at;
    int back;   // the socket that the other side sees
  };

  bool turn() {
    std::vector<pollfd> watched{{STDIN_FILENO, POLLIN, 0}, {front_, POLLIN, 0}};
    for (const auto& [key, client] : clients_) watched.push_back({client.back, POLLIN, 0});
    const Instant at = now(), next = std::min(there_.next(), back_.next());
    timespec wait{0, 0};
    if (next > at) wait = {time_t((next - at).ns / 1'000'000'000), long((next - at).ns % 1'000'000'000)};
    if (ppoll(watched.data(), watched.size(), next == Instant::never() ? nullptr : &wait, nullptr) < 0 && errno != EINTR) give_up("selvedge-link: poll");
    if ((watched[0].revents & (POLLIN | POLLHUP)) && !read_command()) return false;
    if (watched[1].revents & POLLIN) from_front();
    size_t i = 2;
    std::vector<Client> ready;
    for (const auto& [key, client] : clients_) {
      if (i < watched.size() && watched[i].fd == client.back && (watched[i].revents & POLLIN)) ready.push_back(client);
      ++i;
    }
    for (const Client& client : ready) drain(client.back, [&](std::vector<uint8_t> bytes, const sockaddr_in&) { back_.take(line_, rng_, now(), std::move(bytes), front_, client.at); });
    there_.give(line_, now());
    back_.give(line_, now());
    return true;
  }
  template <class Take>
  void drain(int fd, Take take) {
    static constexpr int kPacketsPerTurn = 64;
    uint8_t buffer[65536];
    for (int i = 0; i < kPacketsPerTurn; ++i) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t got = recvfrom(fd, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return;
      take(std::vector<uint8_t>(buffer, buffer + got), from);
    }
  }
  void from_front() {
    drain(front_, [&](std::vector<uint8_t> bytes, const sockaddr_in& from) {
      const std::pair<uint32_t, uint16_t> key{from.sin_addr.s_addr, from.sin_port};
      auto it = clients_.find(key);
      if (it == clients_.end()) {
        it = clients_.emplace(key, Client{from, back_socket()}).first;
      }
      there_.take(line_, rng_, now(), std::move(bytes), it->second.back, to_);
    });
  }
  static int back_socket() {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return udp_socket(any);
  }
  void rebind() {
    for (auto& [key, client] : clients_) {
      close(client.back);
      client.back = back_socket();
    }
    there_ = Way();  // what waited for the old sockets
  }
  bool read_command() {
    char text[200];
    const ssize_t got = read(STDIN_FILENO, text, sizeof text - 1);
    if (got <= 0) return false;
    text[got] = 0;
    for (char* word = std::strtok(text, "\n"); word != nullptr; word = std::strtok(nullptr, "\n")) {
      long number = 0;
      if (std::strcmp(word, "dead") == 0) line_.dead = true;
      else if (std::strcmp(word, "alive") == 0) line_.dead = false;
      else if (std::strcmp(word, "rebind") == 0) rebind();
      else if (std::sscanf(word, "loss %ld", &number) == 1) line_.loss_permille = uint64_t(number);
      else if (std::sscanf(word, "delay %ld", &number) == 1) line_.delay_ms = number;
      else if (std::sscanf(word, "rate %ld", &number) == 1 && number > 0) line_.mbit = double(number);
      else std::fprintf(stderr, "selvedge-link: does not know \"%s\"\n", word);
    }
    return true;
  }

  Line line_;
  const sockaddr_in to_;
  Rng rng_;
  const int front_;
  std::map<std::pair<uint32_t, uint16_t>, Client> clients_;
  Way there_, back_;
};

}  // namespace

int main(int count, char** words) {
  Line line;
  std::string listen = "127.0.0.1:0", to;
  uint64_t seed = 1;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = words[i], value = words[i + 1];
    if (name == "--listen") listen = value;
    else if (name == "--to") to = value;
    else if (name == "--rate") line.mbit = std::atof(value.c_str());
    else if (name == "--delay") line.delay_ms = std::atol(value.c_str());
    else if (name == "--queue") line.queue_ms = std::atol(value.c_str());
    else if (name == "--loss") line.loss_permille = uint64_t(std::atol(value.c_str()));
    else if (name == "--mtu") line.packet_max = size_t(std::atol(value.c_str()));
    else if (name == "--seed") seed = uint64_t(std::atol(value.c_str()));
    else to.clear(), i = count;
  }
  if (to.empty() || line.mbit <= 0) {
    std::fprintf(stderr, "usage: selvedge-link --to ADDR:PORT [--listen ADDR:PORT] [--rate MBIT] [--delay MS] [--queue MS] [--loss PERMILLE] [--mtu BYTES] [--seed N]\n");
    return 1;
  }
  Emulator emulator(line, parse(listen), parse(to), seed);
  emulator.print_address();
  emulator.run();
  return 0;
}
