#include "sim/driver.h"

#include <nlohmann/json.hpp>

#include "codec/multibase.h"

namespace selvedge::sim {

namespace {

using nlohmann::json;

// Answers come from our own node: what does not parse is a bug, and an empty object makes the test fail.
json parse(const std::string& text) { return json::parse(text, nullptr, false); }

}  // namespace

std::string json_string(const std::string& text, const char* field) {
  const json parsed = parse(text);
  return parsed.is_object() && parsed.contains(field) && parsed[field].is_string() ? parsed[field].get<std::string>() : "";
}

Result<std::string> Driver::ask(NodeIndex n, node::ApiRequest request) {
  const node::RequestId id = world_.request(n, std::move(request));
  if (!world_.run_until([&] { return world_.reply(n, id) != nullptr; }, patience)) {
    return fail(Errc::kTimeout, world_.name(n) + " did not answer");
  }
  const Reply& reply = *world_.reply(n, id);
  if (reply.refused) return reply.error;
  return reply.json;
}

Status Driver::connect(NodeIndex from, NodeIndex to) {
  TRY(ask(from, node::PeerAddRequest{world_.ticket(to)}));
  const auto both = [&] {
    if (!world_.up(from) || !world_.up(to)) return false;
    const Result<std::string> list = ask(from, node::PeerListRequest{});
    if (!list.ok()) return false;
    const json parsed = parse(*list);
    for (const json& peer : parsed["peers"]) {
      if (peer["node"] == codec::key_text(world_.key(to)) && peer["connected"] == true) return true;
    }
    return false;
  };
  for (int i = 0; i < 1000; ++i) {
    if (both()) return ok();
    world_.run_for(milliseconds(20));
  }
  return fail(Errc::kTimeout, world_.name(from) + " does not reach " + world_.name(to));
}

Result<std::string> Driver::grant(NodeIndex host, NodeIndex origin, node::GrantGiveRequest shape) {
  shape.origin = codec::key_text(world_.owner(origin));
  const std::string id = json_string(TRY(ask(host, shape)), "id");
  for (int i = 0; i < 200; ++i) {
    const std::string list = TRY(ask(origin, node::GrantListRequest{}));
    if (list.find(id) != std::string::npos) break;
    world_.run_for(milliseconds(10));
  }
  return id;
}

Status Driver::change(NodeIndex host, const std::string& lease, node::LeaseAction action) {
  TRY(ask(host, node::LeaseChangeRequest{lease, action}));
  return ok();
}

Result<std::vector<std::string>> Driver::put(NodeIndex n, const std::vector<std::string>& paths) {
  node::PutRequest request;
  for (const std::string& path : paths) request.files.push_back(world_.file_name(n, path));
  const json answer = parse(TRY(ask(n, std::move(request))));
  std::vector<std::string> cids;
  for (const json& file : answer["files"]) cids.push_back(file["cid"].get<std::string>());
  return cids;
}

Status Driver::get(NodeIndex n, const std::string& cid, const std::string& path) {
  TRY(ask(n, node::GetRequest{cid, path}));
  return ok();
}

Result<RunSummary> Driver::summarize(const std::string& text) {
  const json answer = parse(text);
  if (!answer.is_object()) return fail(Errc::kInternal, "the answer is no JSON object");
  RunSummary summary;
  for (const json& output : answer["outputs"]) summary.outputs.push_back(output["output"].get<std::string>());
  for (const json& rejection : answer["rejected"]) summary.rejected.push_back(rejection["node"].get<std::string>());
  summary.executions = answer["executions"].get<uint64_t>();
  summary.retries = answer["retries"].get<uint64_t>();
  summary.text = answer["text"].get<std::string>();
  return summary;
}

Result<RunSummary> Driver::run(NodeIndex n, node::RunRequest request) { return summarize(TRY(ask(n, std::move(request)))); }

uint64_t Driver::status(NodeIndex n, const char* field) {
  const Result<std::string> answer = ask(n, node::StatusRequest{});
  if (!answer.ok()) return 0;
  const json parsed = parse(*answer);
  return parsed.contains(field) && parsed[field].is_number() ? parsed[field].get<uint64_t>() : 0;
}

size_t Driver::grants_received(NodeIndex n) {
  const Result<std::string> answer = ask(n, node::GrantListRequest{});
  if (!answer.ok()) return 0;
  size_t count = 0;
  const json parsed = parse(*answer);
  for (const json& grant : parsed["grants"]) {
    if (grant["given"] == false && (grant["state"] == "active" || grant["state"] == "expiring")) ++count;
  }
  return count;
}

}  // namespace selvedge::sim
