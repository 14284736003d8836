// PkarrRelay: the PKARR relay role, by HTTP. spec: docs/spec/discovery.md
//
// GET and PUT of /KEY, as relays have it; what is kept and who waits is mesh/pkarr_shelf.h. Where the node itself looks into a DHT, so does the relay for
// keys that it does not know, and passes on to it what it is told. Lives on the loop thread; owned by the daemon.
#pragma once

#include <memory>
#include <vector>

#include "host/net/hints.h"
#include "host/net/http_server.h"
#include "mesh/pkarr_shelf.h"

namespace selvedge::host {

class PkarrRelay {
 public:
  /// `dhts`: the sources of that kind. Errors: as HttpServer::listen.
  static Result<std::unique_ptr<PkarrRelay>> listen(Loop& loop, const std::string& address, const crypto::Verifier& verifier, HintClient& hints,
                                                    std::vector<mesh::HintSource> dhts);
  const std::string& address() const { return server_->address(); }

 private:
  PkarrRelay(Loop& loop, const crypto::Verifier& verifier, HintClient& hints, std::vector<mesh::HintSource> dhts);
  void on_request(const HttpRequest& request);
  void get(const HttpRequest& request, const crypto::PublicKey& key);
  void put(const HttpRequest& request, const crypto::PublicKey& key);
  void ask_dht(uint64_t id, const crypto::PublicKey& key, size_t source);
  void show(uint64_t id, const mesh::PkarrShelf::Kept& kept, const std::string& since);
  void refuse(uint64_t id, unsigned status, const std::string& why);

  Loop& loop_;
  HintClient& hints_;
  const std::vector<mesh::HintSource> dhts_;
  mesh::PkarrShelf shelf_;
  std::unique_ptr<HttpServer> server_;
  std::shared_ptr<PkarrRelay*> alive_;   // answers of the DHT hold it weakly
};

}  // namespace selvedge::host
