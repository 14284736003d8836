// The local API about programs that visitors' pages may have run: methods of the form page.*. Part of api.h, which lists every request.
#pragma once

#include <string>
#include <vector>

#include "codec/cid.h"
#include "codec/schema.h"

namespace selvedge::node {

/// What one job of a page may take, and how many there may be.
struct PageLimits {
  uint32_t visitor_per_minute = 10;      // jobs that one visitor begins
  uint32_t per_minute = 600;             // that all of them begin together
  uint64_t fuel_limit = 2'000'000'000;
  uint64_t memory_bytes = 64u << 20;
  uint64_t input_bytes_max = 0;          // 0: arguments only
  uint64_t output_bytes_max = 256u << 10;
  uint32_t verify = 2;                   // owners whose machines must agree, where the page does not say
  uint32_t verify_max = 3;               // and the most that a page may ask for
  uint64_t seconds_max = 60;
  template <class V> void visit(V& v) {
    v("visitor_per_minute", visitor_per_minute); v("per_minute", per_minute); v("fuel_limit", fuel_limit); v("memory_bytes", memory_bytes);
    v("input_bytes_max", input_bytes_max); v("output_bytes_max", output_bytes_max); v("verify", verify); v("verify_max", verify_max); v("seconds_max", seconds_max);
  }
};

struct PagePublishRequest {
  static constexpr const char* kMethod = "page.publish";
  std::string name;                      // by which pages ask for it
  std::string path;                      // of the module, absolute
  uint64_t size = 0;
  std::string zone = "private";
  PageLimits limits;
  template <class V> void visit(V& v) { v("name", name); v("path", path); v("size", size); v("zone", zone); v("limits", limits); }
};
struct PageListRequest { static constexpr const char* kMethod = "page.list"; template <class V> void visit(V&) {} };
struct PageWithdrawRequest {
  static constexpr const char* kMethod = "page.withdraw";
  std::string name;
  template <class V> void visit(V& v) { v("name", name); }
};

struct PageProgramInfo {
  std::string name;
  codec::Cid module;
  std::string zone;
  PageLimits limits;
  uint64_t asked = 0, done = 0, refused = 0;   // since this node's start
  template <class V> void visit(V& v) {
    v("name", name); v("module", module); v("zone", zone); v("limits", limits); v("asked", asked); v("done", done); v("refused", refused);
  }
};
struct PageListAnswer {
  std::vector<PageProgramInfo> programs;
  uint64_t waiting = 0, running = 0;
  template <class V> void visit(V& v) { v("programs", programs); v("waiting", waiting); v("running", running); }
};

}  // namespace selvedge::node
