#include <ares.h>
#include <poll.h>

#include <algorithm>
#include <cstring>

#include "host/net/hints.h"

namespace selvedge::host {

namespace {

constexpr size_t kTextBytesMax = 4096;

struct DnsAnswer {
  bool done = false;
  int status = ARES_SUCCESS;
  std::vector<std::string> strings;
};

void take_reply(void* to, int status, int, unsigned char* message, int length) {
  DnsAnswer& answer = *static_cast<DnsAnswer*>(to);
  answer.done = true;
  answer.status = status;
  if (status != ARES_SUCCESS) return;
  ares_txt_ext* list = nullptr;
  answer.status = ares_parse_txt_reply_ext(message, length, &list);
  size_t bytes = 0;
  // One record is enough: strings of a second one do not belong to it.
  for (const ares_txt_ext* each = list; each != nullptr && bytes <= kTextBytesMax; each = each->next) {
    if (each != list && each->record_start) break;
    bytes += each->length;
    answer.strings.emplace_back(reinterpret_cast<const char*>(each->txt), each->length);
  }
  ares_free_data(list);
}

}  // namespace

Result<std::vector<std::string>> query_txt(const std::string& name, const std::string& server, const std::atomic<bool>& stopping) {
  ares_channel channel = nullptr;
  ares_options options{};
  options.timeout = 1500;
  options.tries = 2;
  if (const int code = ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES); code != ARES_SUCCESS) return fail(Errc::kUnavailable, ares_strerror(code));
  const auto close = [](ares_channel c) { ares_destroy(c); };
  const std::unique_ptr<std::remove_pointer_t<ares_channel>, decltype(close)> owner(channel, close);
  if (!server.empty() && ares_set_servers_ports_csv(channel, server.c_str()) != ARES_SUCCESS) {
    return fail(Errc::kInvalid, "\"" + server + "\" is no address of a DNS server: 192.0.2.53 or 192.0.2.53:5353");
  }
  DnsAnswer answer;
  ares_query(channel, name.c_str(), 1 /* IN */, 16 /* TXT */, take_reply, &answer);
  const Duration slice = milliseconds(100);  // how soon an end is noticed
  for (Duration spent{}; !answer.done && spent < kHintTimeout && !stopping.load(); spent = spent + slice) {
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    const int bits = ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    pollfd watched[ARES_GETSOCK_MAXNUM];
    nfds_t count = 0;
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      const short wants = short((ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) | (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0));
      if (wants != 0) watched[count++] = {sockets[i], wants, 0};
    }
    const int ready = poll(watched, count, int(slice.ms()));
    if (ready > 0) spent = spent - slice;
    if (ready <= 0) ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // timeouts
    for (nfds_t i = 0; i < count && ready > 0; ++i) {
      if (watched[i].revents == 0) continue;
      ares_process_fd(channel, watched[i].revents & (POLLIN | POLLERR | POLLHUP) ? watched[i].fd : ARES_SOCKET_BAD, watched[i].revents & POLLOUT ? watched[i].fd : ARES_SOCKET_BAD);
    }
  }
  if (!answer.done) {
    ares_cancel(channel);
    return fail(Errc::kTimeout, "no answer");
  }
  if (answer.status == ARES_ENOTFOUND || answer.status == ARES_ENODATA) return fail(Errc::kNotFound, "no such name");
  if (answer.status == ARES_ETIMEOUT) return fail(Errc::kTimeout, "no answer");
  if (answer.status != ARES_SUCCESS) return fail(Errc::kUnavailable, ares_strerror(answer.status));
  return std::move(answer.strings);
}

}  // namespace selvedge::host
