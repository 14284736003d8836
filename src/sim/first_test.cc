// The whole way once, in a world without faults: tickets, grants, a file in and out, a verified run, a revocation, a restart.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "sim/driver.h"

namespace selvedge::sim {
namespace {

Bytes random_bytes(Rng& rng, size_t size) {
  Bytes out(size);
  for (uint8_t& byte : out) byte = uint8_t(rng.next());
  return out;
}

TEST(FirstSteps, TwoHostsServeOneOrigin) {
  World world(1, CryptoKind::kReal);
  if (std::getenv("SELVEDGE_SIM_LOG") != nullptr) world.log = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  Driver people(world);
  const NodeIndex origin = world.add_node("origin");
  const NodeIndex a = world.add_node("host a");
  const NodeIndex b = world.add_node("host b");
  const NodeIndex c = world.add_node("host c");
  for (NodeIndex n : {origin, a, b, c}) world.start(n);
  std::vector<std::string> leases;
  for (NodeIndex host : {a, b, c}) {
    const Status connected = people.connect(origin, host);
    ASSERT_TRUE(connected.ok()) << connected.error().message;
    leases.push_back(people.grant(host, origin).value());
  }
  EXPECT_EQ(people.grants_received(origin), 3u);

  Rng rng(7);
  world.write_file(origin, "/in/small", random_bytes(rng, 100));
  world.write_file(origin, "/in/large", random_bytes(rng, 3'000'000));
  world.write_file(origin, "/in/empty", {});
  const std::vector<std::string> paths{"/in/small", "/in/large", "/in/empty"};
  const auto cids = people.put(origin, paths);
  ASSERT_TRUE(cids.ok()) << cids.error().message;
  const auto all_come_back = [&](const std::string& where) {
    for (size_t i = 0; i < paths.size(); ++i) {
      const Status got = people.get(origin, (*cids)[i], where + std::to_string(i));
      ASSERT_TRUE(got.ok()) << where << " " << paths[i] << ": " << got.error().message;
      EXPECT_EQ(*world.file(origin, where + std::to_string(i)), *world.file(origin, paths[i]));
    }
  };
  all_come_back("/out/first");

  world.write_file(origin, "/program.wasm", program_module(1));
  node::RunRequest run;
  run.module = world.file_name(origin, "/program.wasm");
  run.inputs = {world.file_name(origin, "/in/small"), world.file_name(origin, "/in/empty"), world.file_name(origin, "/in/large")};
  run.verify = 2;
  run.merge = true;
  run.out_dir = "/results";
  const auto summary = people.run(origin, run);
  ASSERT_TRUE(summary.ok()) << summary.error().message;
  EXPECT_EQ(summary->outputs.size(), 4u);
  EXPECT_EQ(summary->executions, 8u);
  EXPECT_EQ(summary->retries, 0u);
  const crypto::Digest module = crypto::sha256(program_module(1));
  EXPECT_EQ(*world.file(origin, "/results/small"),
            run_program(module, {"program.wasm"}, *world.file(origin, "/in/small"), 0, UINT64_MAX).output);

  const Status revoked = people.change(a, leases[0], node::LeaseAction::kRevoke);
  ASSERT_TRUE(revoked.ok()) << revoked.error().message;
  world.run_for(seconds(30));
  EXPECT_EQ(people.status(origin, "repairs_pending"), 0u);
  EXPECT_EQ(people.grants_received(origin), 2u);
  world.crash(a);
  all_come_back("/out/second");

  world.crash(origin);
  world.crash(b);
  world.start(origin);
  world.start(b);
  world.run_for(seconds(10));
  EXPECT_EQ(people.peers_connected(origin), 2u);
  all_come_back("/out/third");
  EXPECT_TRUE(world.violations().empty()) << world.violations().front();
}

}  // namespace
}  // namespace selvedge::sim
