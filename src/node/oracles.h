// Oracles: asks nodes about the world on behalf of a program that is about to run, and answers others who ask.
//
// A wish is a chain of sources: each is asked in turn, waits for so long, and the next takes its place when it says nothing or something wrong. What comes
// out is an archive with two files for each wish, NAME (the value) and NAME.signed (the answer as it was signed), which the task gets as its folder /oracle.
// So the answers are stored like any input, named by their content, part of the trace, and the same for every execution and replay. spec: WF 7.5
#pragma once

#include <map>

#include "node/core.h"
#include "node/oracle_messages.h"
#include "object/oracle.h"

namespace selvedge::node {

constexpr Duration kOraclePatience = seconds(3);   // of one source
constexpr size_t kOracleWishesMax = 16;
constexpr size_t kOracleSourcesMax = 8;
constexpr size_t kOracleAsksMax = 256;
/// Answers for one peer in one second.
constexpr uint32_t kOracleAnswersMax = 32;

struct OracleSource {
  std::string name;
  NodeKey node;
};
using OracleWish = std::vector<OracleSource>;

class Oracles {
 public:
  explicit Oracles(Core& core) : core_(core) {}

  /// The size and root of this node's audit log, as one line. Errors: kUnavailable.
  std::function<Result<std::string>()> height;

  /// "NAME", "NAME@NODE", and further sources behind '|'. Without a node it is this one. Errors: kInvalid, kNotFound, kLimit.
  Result<std::vector<OracleWish>> parse(const std::vector<std::string>& texts) const;
  using OnArchive = std::function<void(Turn&, Result<Bytes>)>;
  /// Errors: kUnavailable, naming the wish that nobody answered, and why.
  void ask(Turn& turn, std::vector<OracleWish> wishes, OnArchive then);

  void on_message(Turn& turn, const NodeKey& from, const OracleMessages::Message& message);
  void on_deadline(Turn& turn);
  Instant next_deadline() const;

 private:
  using Answer = object::Signed<object::OracleAnswer>;
  /// All wishes of one program.
  struct Round {
    std::vector<OracleWish> wishes;
    std::vector<std::optional<Answer>> answers;
    size_t left = 0;
    bool over = false;
    OnArchive then;
  };
  struct Ask {
    std::shared_ptr<Round> round;
    size_t wish = 0;
    size_t source = 0;
    object::Unique nonce;
    Instant until;
  };

  void ask_source(Turn& turn, std::shared_ptr<Round> round, size_t wish, size_t source, std::string why);
  void settle(Turn& turn, const std::shared_ptr<Round>& round, size_t wish, Answer answer);
  Result<Answer> answer(Instant now, const std::string& name, const crypto::PublicKey& origin, const object::Unique& nonce) const;
  Result<Answer> checked(Instant now, const Ask& ask, const Bytes& bytes) const;
  void on_ask(Turn& turn, const NodeKey& from, const OracleAsk& ask);
  bool may_ask(Instant now, const NodeKey& from);

  Core& core_;
  std::map<uint64_t, Ask> asks_;
  uint64_t last_request_ = 0;
  uint64_t counted_second_ = 0;
  std::map<NodeKey, uint32_t> counted_;
};

}  // namespace selvedge::node
