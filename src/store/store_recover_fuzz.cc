// Recovery from arbitrary disk content: nothing on a disk may stop the node or make it serve what it does not have.
//
// Input: entries of column(1) key_length(1) value_length(1) key value. The corpus is written by the test
// StoreCorpus.IsWhatRealStoresWrite from stores that really ran.
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "store/layout.h"
#include "store/store.h"

using namespace selvedge;
using namespace selvedge::store;

namespace {

using Content = std::map<std::pair<Column, Bytes>, Bytes>;

Content parse(ByteView in) {
  Content content;
  while (in.size() >= 3) {
    const Column column = Column(in[0] % kColumnCount);
    const size_t key_size = std::min<size_t>(in[1], in.size() - 3);
    const Bytes key = to_bytes(in.subspan(3, key_size));
    const size_t value_size = std::min<size_t>(in[2], in.size() - 3 - key_size);
    content[{column, key}] = to_bytes(in.subspan(3 + key_size, value_size));
    in = in.subspan(3 + key_size + value_size);
  }
  return content;
}

/// A disk that does at once what it is told.
void serve(Store& store, Content& content, Outbox<Effect>& out) {
  while (!out.empty()) {
    for (const Effect& effect : out.take()) {
      if (const auto* write = std::get_if<DiskWrite>(&effect)) {
        for (const Write& w : write->writes) {
          if (w.value) content[{w.column, w.key}] = *w.value;
          else content.erase({w.column, w.key});
        }
        store.on_persisted(write->token);
        continue;
      }
      const auto& read = std::get<DiskRead>(effect);
      std::vector<std::optional<Bytes>> values;
      for (const Bytes& key : read.keys) {
        const auto it = content.find({read.column, key});
        values.push_back(it == content.end() ? std::nullopt : std::optional<Bytes>(it->second));
      }
      store.on_loaded(read.token, std::move(values), out);
    }
  }
}

void load(Store& store, Content& content, Outbox<Effect>& out) {
  for (const auto& [at, value] : content) {
    if (at.first == Column::kMeta || at.first == Column::kRecords) (void)store.recover(at.first, at.second, value);
  }
  store.recovered(out);
  serve(store, content, out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Content content = parse({data, size});
  Limits limits;
  limits.objects_max = 8;
  limits.segments_max = 16;
  limits.records_max = 8;
  Outbox<Effect> out;
  Store store(limits);
  load(store, content, out);
  // Whatever was found can be read, added to and dropped.
  for (const ObjectId& id : store.objects(nullptr, 100)) {
    HoldMeta meta = *store.find_object(id);
    (void)store.read_segments({id, std::nullopt, {{0, 3, 9}}, 1 << 20}, 1, out);
    serve(store, content, out);
    (void)store.set_quota(meta.origin, uint64_t(1) << 40);
    (void)store.put_segment(meta, 0, std::vector<uint32_t>{1, 5}, Bytes(10), 2, out);
    serve(store, content, out);
    store.coverage(id);
  }
  for (const OriginId& origin : store.receipt_origins(nullptr, 100)) {
    (void)store.read_receipts(origin, 0, 10, 3, out);
    (void)store.append_receipt(origin, {1}, 4, out);
    (void)store.trim_receipts(origin, store.receipts(origin).first + 2, 5, out);
    serve(store, content, out);
  }
  store.expire(store.next_deadline(), out);
  serve(store, content, out);
  CHECK(store.writes_in_flight() == 0 && store.reads_in_flight() == 0);
  // A second start finds what the first one left, and nothing to object to in it but what nobody may erase.
  const Usage held = store.total_usage();
  Store again(limits);
  load(again, content, out);
  CHECK(again.total_usage().objects >= held.objects);
  for (const ObjectId& id : again.objects(nullptr, 100)) {
    CHECK(again.drop_object(id, 6, out).ok());
    serve(again, content, out);
  }
  CHECK(again.total_usage().bytes == 0 && again.total_usage().objects == 0);
  return 0;
}
