#include <algorithm>

#include "sim/world.h"

namespace selvedge::sim {

namespace {
constexpr int64_t kSyncMicrosecondsMin = 200, kSyncMicrosecondsMax = 4000;
constexpr int64_t kReadMicrosecondsMin = 50, kReadMicrosecondsMax = 1000;
constexpr int64_t kComputeMicrosecondsMin = 20, kComputeMicrosecondsMax = 2000;
constexpr int64_t kDomainMicrosecondsMin = 500, kDomainMicrosecondsMax = 200'000;
/// Within this time of being told, a host has stopped what runs. spec: the preempt bound
constexpr int64_t kStopMicrosecondsMax = 5000;

Duration draw(Rng& rng, int64_t low, int64_t high) { return microseconds(int64_t(rng.between(uint64_t(low), uint64_t(high)))); }
}  // namespace

// ---- disk

void World::use_disk(NodeIndex n, store::Effect effect) {
  Machine& machine = *nodes_[n];
  if (auto* read = std::get_if<store::DiskRead>(&effect)) {
    later(n, draw(disk_rng_, kReadMicrosecondsMin, kReadMicrosecondsMax), [this, n, read = std::move(*read)] {
      std::vector<std::optional<Bytes>> values = nodes_[n]->disk.read(read);
      input(n, "loaded", {}, [&](node::Node& node, Out& out) { node.on_loaded(now_, read.token, std::move(values), out); });
    });
    return;
  }
  auto& write = std::get<store::DiskWrite>(effect);
  for (const store::Write& each : write.writes) trace("disk", n, each.value ? ByteView(*each.value) : ByteView(each.key));
  machine.disk.write(std::move(write));
  if (machine.sync_scheduled) return;
  machine.sync_scheduled = true;
  later(n, draw(disk_rng_, kSyncMicrosecondsMin, kSyncMicrosecondsMax), [this, n] { sync_disk(n); });
}

void World::sync_disk(NodeIndex n) {
  Machine& machine = *nodes_[n];
  machine.sync_scheduled = false;
  const uint32_t life = machine.life;
  // Everything issued until now is one group; what the answers cause is the next.
  const std::vector<uint64_t> tokens = machine.disk.waiting();
  std::vector<uint64_t> failed;
  for (uint64_t token : tokens) {
    if (disk_rng_.chance(weather.write_failure_permille, 1000)) {
      machine.disk.refuse(token);
      failed.push_back(token);
    } else {
      const store::DiskWrite* write = machine.disk.persist(token);
      for (Observer* observer : observers_) observer->persisted(n, *write);
    }
  }
  machine.disk.settle();
  for (uint64_t token : tokens) {
    if (machine.life != life) return;
    const bool lost = std::find(failed.begin(), failed.end(), token) != failed.end();
    input(n, lost ? "write failed" : "persisted", {}, [&](node::Node& node, Out& out) {
      if (lost) node.on_write_failed(now_, token, fail(Errc::kIo, "no space left on device"), out);
      else node.on_persisted(now_, token, out);
    });
  }
}

// ---- workers and domains

void World::compute(NodeIndex n, node::Compute work) {
  auto result = std::make_shared<node::ComputeResult>(node::compute(work.job));
  const uint64_t token = work.token;
  later(n, draw(work_rng_, kComputeMicrosecondsMin, kComputeMicrosecondsMax), [this, n, token, result] {
    input(n, "computed", {}, [&](node::Node& node, Out& out) { node.on_computed(now_, token, std::move(*result), out); });
  });
}

void World::start_task(NodeIndex n, work::RunDomain run) {
  Machine& machine = *nodes_[n];
  work::DomainResult result = run_program(run.module->original, run.args, run.input, run.seed, run.fuel_limit);
  if (work_rng_.chance(weather.domain_loss_permille, 1000)) {
    result = {};
    result.message = "the domain process died";
  }
  result = distort(std::move(result), machine.lie, key(n));
  const work::TaskId task = run.task;
  if (!machine.running.emplace(task, Running{std::move(run), now_}).second) {
    violate(machine.name + ": runs a task twice at once");
    return;
  }
  auto shared = std::make_shared<work::DomainResult>(std::move(result));
  later(n, draw(work_rng_, kDomainMicrosecondsMin, kDomainMicrosecondsMax), [this, n, task, shared] { end_task(n, task, std::move(*shared)); });
}

void World::end_task(NodeIndex n, const work::TaskId& task, work::DomainResult result) {
  Machine& machine = *nodes_[n];
  auto it = machine.running.find(task);
  if (it == machine.running.end()) return;  // stopped before
  const Running running = std::move(it->second);
  machine.running.erase(it);
  for (Observer* observer : observers_) observer->task_ended(n, running, result);
  input(n, "domain", task, [&](node::Node& node, Out& out) { node.on_domain(now_, task, running.run.lease_cap, std::move(result), out); });
}

void World::stop_tasks(NodeIndex n, const node::StopTasks& stop) {
  const uint64_t token = stop.token;
  const uint64_t lease = stop.lease_number;
  const uint32_t life = nodes_[n]->life;
  later(n, microseconds(int64_t(work_rng_.below(uint64_t(kStopMicrosecondsMax)))), [this, n, token, lease, life] {
    std::vector<work::TaskId> tasks;
    for (const auto& [task, running] : nodes_[n]->running) {
      if (running.run.lease_number == lease) tasks.push_back(task);
    }
    for (const work::TaskId& task : tasks) {
      work::DomainResult killed;
      killed.message = "the lease was stopped";
      if (nodes_[n]->life == life && up(n)) end_task(n, task, std::move(killed));
    }
    if (nodes_[n]->life != life || !up(n)) return;
    input(n, "stopped", {}, [&](node::Node& node, Out& out) { node.on_tasks_stopped(now_, token, out); });
  });
}

// ---- files

void World::read_file(NodeIndex n, const node::ReadFile& read) {
  later(n, draw(disk_rng_, kReadMicrosecondsMin, kReadMicrosecondsMax), [this, n, read] {
    auto it = nodes_[n]->files.find(read.path);
    Result<Bytes> bytes = fail(Errc::kNotFound, "no such file");
    if (it != nodes_[n]->files.end()) {
      const ByteView all = it->second;
      const size_t from = std::min<size_t>(size_t(read.offset), all.size());
      bytes = to_bytes(all.subspan(from, std::min<size_t>(size_t(read.bytes_max), all.size() - from)));
    }
    input(n, "file read", {}, [&](node::Node& node, Out& out) { node.on_file_read(now_, read.token, std::move(bytes), out); });
  });
}

void World::save_file(NodeIndex n, node::WriteFile write) {
  // As the host does: pieces are written in the order in which they were given, to a file beside it that takes the name
  // with the last one.
  Instant& last = nodes_[n]->last_file_write;
  last = std::max(last, now_ + draw(disk_rng_, kReadMicrosecondsMin, kReadMicrosecondsMax));
  later(n, last - now_, [this, n, write = std::move(write)] {
    Machine& machine = *nodes_[n];
    Bytes& partial = machine.partial_files[write.path];
    if (partial.size() < write.offset + write.bytes.size()) partial.resize(size_t(write.offset) + write.bytes.size());
    std::copy(write.bytes.begin(), write.bytes.end(), partial.begin() + long(write.offset));
    if (write.last) {
      machine.files[write.path] = std::move(partial);
      machine.partial_files.erase(write.path);
    }
    input(n, "file written", {}, [&](node::Node& node, Out& out) { node.on_file_written(now_, write.token, ok(), out); });
  });
}

void World::discard_file(NodeIndex n, const std::string& path) {
  Instant& last = nodes_[n]->last_file_write;
  last = std::max(last, now_);
  later(n, last - now_, [this, n, path] { nodes_[n]->partial_files.erase(path); });
}

}  // namespace selvedge::sim
