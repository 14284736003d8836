// PageJobs: what this owner has done for the visitors of their site. PageAsks: what a page has asked of a site.
//
// A page holds no grants, and its visitor's machines owe the site nothing. So it is the site's node that has the work done, under the grants of the site's
// owner, and the owner says beforehand for which programs, how often and how large: nothing is published unless they published it. A page names a program, and
// never brings one. Who asks is a visitor's key and an address, neither of which costs much to change: what bounds the whole is what each program may have
// together, and visitors get turns in equal measure.
//
// Owned by Node. docs/decisions/0045-pages-ask-the-sites-node.md
#pragma once

#include "node/api_page.h"
#include "node/contractor.h"
#include "node/page_messages.h"

namespace selvedge::node {

constexpr size_t kPageProgramsMax = 64;
constexpr size_t kPageJobsMax = 1024;           // of all visitors, waiting and running
constexpr size_t kPageJobsPerVisitorMax = 64;
constexpr size_t kPageRunsMax = 12;             // of kRunsMax: the owner's own runs always find room
constexpr size_t kPageArgsMax = 32;
constexpr size_t kPageArgsBytesMax = 4096;
constexpr uint64_t kPageInputBytesMax = 1u << 20;
constexpr uint64_t kPageOutputBytesMax = 256u << 10;   // one chunk: its name is the SHA-256 of its bytes, which any page can check
/// Inputs are stored like any other blob; so much of what pages bring is taken in a day.
constexpr uint64_t kPageInputBytesPerDay = 256u << 20;
constexpr uint64_t kPageSecondsMax = 600;
/// Who is counted apart in one minute; past that all further ones share one count.
constexpr size_t kPageVisitorsCountedMax = 4096;
/// Visitors behind one address, at their full rate.
constexpr uint32_t kPageVisitorsPerAddress = 8;

/// A published program, as it is kept.
struct PageProgram {
  std::string name;
  object::ZoneId zone;
  codec::Cid module;
  PageLimits limits;
  template <class V> void visit(V& v) { v("name", name); v("zone", zone); v("module", module); v("limits", limits); }
};

class PageJobs {
 public:
  PageJobs(Core& core, Library& library, Contractor& contractor) : core_(core), library_(library), contractor_(contractor) {}

  void restore();
  /// Stores the module and lets pages ask for it. Errors: kInvalid, kLimit, what Library::put says.
  void publish(Turn& turn, const PagePublishRequest& request, std::function<void(Turn&, Result<PageProgramInfo>)> then);
  /// Errors: kNotFound. What waits or runs of it ends.
  Result<PageProgramInfo> withdraw(Turn& turn, const std::string& name);
  PageListAnswer list() const;

  void on_ask(Turn& turn, const NodeKey& from, const std::string& address, JobAsk ask);
  void on_drop(Turn& turn, const NodeKey& from, const JobDrop& drop);
  void on_peer_down(Turn& turn, const NodeKey& peer);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;
  /// There may be room for another run.
  void tend(Turn& turn);

 private:
  struct Published {
    PageProgram program;
    uint64_t asked = 0, done = 0, refused = 0;
  };
  struct Job {
    NodeKey from;
    JobAsk ask;
    Instant until;
    RequestId run = 0;                  // 0: it waits
  };
  using Jobs = std::map<uint64_t, Job>;  // in the order in which they came

  Status admit(Turn& turn, const NodeKey& from, const std::string& address, const JobAsk& ask, Published& published);
  Status count(Instant now, const std::string& who, uint32_t most);
  Jobs::iterator next();
  void begin(Turn& turn, uint64_t number);
  void on_end(Turn& turn, uint64_t number, Result<RunResult> result);
  /// Ends one with an answer to who asked.
  void refuse(Turn& turn, uint64_t number, const Error& why);
  void drop(Turn& turn, Jobs::iterator job);
  void tell(Turn& turn, const NodeKey& to, const JobTold& told) { core_.send(turn, to, PageMessages::encode(told)); }
  PageProgramInfo info(const Published& published) const;

  Core& core_;
  Library& library_;
  Contractor& contractor_;
  std::map<std::string, Published> programs_;
  Jobs jobs_;
  uint64_t last_ = 0;
  size_t running_ = 0;
  bool tending_ = false;
  uint64_t counted_minute_ = 0, counted_day_ = 0, input_bytes_ = 0;
  std::map<std::string, uint32_t> counted_;
};

/// What this node has asked of a site, as a page does.
class PageAsks {
 public:
  explicit PageAsks(Core& core) : core_(core) {}
  /// Answered by JobNews, the last of which says kDone or kRefused, or is empty. Errors: kUnavailable (no session), kExists, kLimit.
  Status ask(Turn& turn, const NodeKey& site, const JobAsk& what);
  void drop(Turn& turn, const NodeKey& site, uint64_t request);
  void on_told(Turn& turn, const NodeKey& from, JobTold told);
  void on_peer_down(Turn& turn, const NodeKey& peer);

 private:
  Core& core_;
  std::set<std::pair<NodeKey, uint64_t>> asked_;
};

}  // namespace selvedge::node
