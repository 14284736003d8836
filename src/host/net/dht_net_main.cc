// selvedge-dht-net: a DHT of several nodes on loopback, for tests. Prints "HOST:PORT" of one of them, and ends when its input does.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <libtorrent/session.hpp>
#include <libtorrent/session_params.hpp>

namespace {

lt::settings_pack settings(const std::string& bootstrap) {
  lt::settings_pack pack;
  pack.set_str(lt::settings_pack::listen_interfaces, "127.0.0.1:0");
  pack.set_str(lt::settings_pack::dht_bootstrap_nodes, bootstrap);
  for (const int off : {lt::settings_pack::enable_lsd, lt::settings_pack::enable_upnp, lt::settings_pack::enable_natpmp}) pack.set_bool(off, false);
  return pack;
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 5;
  if (count < 1 || count > 64) {
    std::fprintf(stderr, "usage: selvedge-dht-net [NODES, 1 to 64]\n");
    return 2;
  }
  std::vector<lt::session> nodes;
  std::string first;
  for (int i = 0; i < count; ++i) {
    nodes.emplace_back(lt::session_params(settings(first)));
    if (i == 0) first = "127.0.0.1:" + std::to_string(nodes.front().listen_port());
  }
  std::printf("%s\n", first.c_str());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  return 0;
}
