// ApiDesk: the local API between its doors (the socket of api_server.h, the dashboard of dash_server.h) and the node.
//
// A door hands over lines and is given lines; what is a client to it, how it is reached and who may come is the door's. docs/api.md is the
// specification. `watch` is answered here: calls that only look are made again and again, and told when their answer changed.
// Lives on the loop thread; owned by the daemon, and outlives the doors.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/types.h"
#include "host/daemon/api_json.h"
#include "host/loop/loop.h"
#include "node/effects.h"

namespace selvedge::host {

inline constexpr size_t kApiRequestsPerClientMax = 64;
inline constexpr size_t kApiWatchesMax = 64;           // of all clients

class ApiDesk {
 public:
  using ClientId = uint64_t;
  struct Events {
    std::function<void(node::RequestId, node::ApiRequest)> request;
    std::function<void(node::RequestId)> withdrawn;
  };
  struct Client {
    /// Takes a line, without its newline. `last`: with it a request is over. May call leave().
    std::function<void(const std::string& line, bool last)> send;
    /// The methods that it may use; null: all.
    const std::set<std::string_view>* methods = nullptr;
  };
  ApiDesk(Loop& loop, Events events);

  ClientId join(Client client);
  /// What the client asked is withdrawn, soon: this may be called from inside send().
  void leave(ClientId client);
  void ask(ClientId client, const std::string& line);

  void progress(node::RequestId request, const std::string& json);
  void answer(node::RequestId request, const std::string& json);
  void refuse(node::RequestId request, const Error& error);

 private:
  using WatchId = uint64_t;
  struct Known {
    Client client;
    size_t requests = 0;
  };
  struct Pending {
    ClientId client = 0;
    std::string id;               // the client's, as JSON text
    WatchId watch = 0;            // 0: none; else whose call it is
    size_t call = 0;
  };
  struct Watch {
    ClientId client = 0;
    std::string id;
    Duration period;
    struct Call {
      node::ApiRequest request;
      bool pending = false;
      std::optional<crypto::Digest> told;
    };
    std::vector<Call> calls;
    Instant due;
  };
  void watch(ClientId client, ApiCall call);
  void look(WatchId id, Watch& watch);
  void on_timer();
  void set_timer();
  /// A call of a watch was answered: tells it where that is news.
  void seen(const Pending& pending, const std::string& member);
  std::optional<Pending> take(node::RequestId request);
  void send(ClientId client, const std::string& line, bool last);

  Loop& loop_;
  const Events events_;
  uint64_t next_id_ = 1;
  std::map<ClientId, Known> clients_;
  std::map<node::RequestId, Pending> pending_;
  std::map<WatchId, Watch> watches_;
  Loop::Timer timer_;
};

}  // namespace selvedge::host
