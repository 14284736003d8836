// Several writes as one, and pages.
#include <gtest/gtest.h>

#include "store/store_testing.h"

namespace selvedge::store {
namespace {

constexpr RecordKind kKind = 7;

Bytes text_of(const char* text) { return to_bytes(view(text)); }

// A record, its erased neighbour, a receipt and a page, as one write.
void write_all(Bench& b, const char* text) {
  b.store->begin_batch();
  EXPECT_EQ(*b.store->put_record(kKind, make_id<RecordId>(1), text_of(text), 1, b.out), Accepted::kPending);
  EXPECT_TRUE(b.store->erase_record(kKind, make_id<RecordId>(2), 2, b.out).ok());
  EXPECT_TRUE(b.store->append_receipt(make_id<OriginId>(1), text_of(text), 3, b.out).ok());
  EXPECT_EQ(*b.store->put_page({make_id<BookId>(9), 5}, text_of(text), 4, b.out), Accepted::kPending);
  b.store->end_batch(b.out);
  b.disk.take(b.out);
}

std::string record_of(const Bench& b, uint8_t id) {
  const Bytes* value = b.store->find_record(kKind, make_id<RecordId>(id));
  return value == nullptr ? "" : to_string(*value);
}

std::vector<std::optional<Bytes>> pages_of(Bench& b, std::vector<uint64_t> numbers) {
  std::vector<PageKey> keys;
  for (const uint64_t number : numbers) keys.push_back({make_id<BookId>(9), number});
  EXPECT_TRUE(b.store->read_pages(keys, 99, b.out).ok());
  const std::vector<Loaded> loaded = b.serve_reads();
  EXPECT_EQ(loaded.size(), 1u);
  EXPECT_EQ(loaded[0].cookie, 99u);
  return loaded[0].pages;
}

TEST(StoreBatch, IsOneWriteThatAnswersEveryoneWhoWaits) {
  Bench b;
  ASSERT_TRUE(b.store->put_record(kKind, make_id<RecordId>(2), text_of("old"), 9, b.out).ok());
  b.disk.take(b.out);
  b.sync();
  write_all(b, "new");
  EXPECT_EQ(b.disk.in_flight().size(), 1u);
  EXPECT_EQ(record_of(b, 1), "new") << "seen at once";
  const std::vector<Done> done = b.sync();
  std::set<uint64_t> cookies;
  for (const Done& each : done) EXPECT_TRUE(each.status.ok() && cookies.insert(each.cookie).second);
  EXPECT_EQ(cookies, (std::set<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(record_of(b, 2), "");
  EXPECT_EQ(b.store->receipts(make_id<OriginId>(1)).next, 1u);
  const auto pages = pages_of(b, {4, 5});
  EXPECT_FALSE(pages[0]);
  EXPECT_EQ(pages[1], text_of("new"));
}

TEST(StoreBatch, FailsWhole) {
  Bench b;
  ASSERT_TRUE(b.store->put_record(kKind, make_id<RecordId>(1), text_of("first"), 8, b.out).ok());
  ASSERT_TRUE(b.store->put_record(kKind, make_id<RecordId>(2), text_of("old"), 9, b.out).ok());
  b.disk.take(b.out);
  b.sync();
  write_all(b, "new");
  const std::vector<Done> done = b.refuse();
  EXPECT_EQ(done.size(), 4u);
  for (const Done& each : done) EXPECT_EQ(each.status.code(), Errc::kIo);
  EXPECT_EQ(record_of(b, 1), "first");
  EXPECT_EQ(record_of(b, 2), "old");
  EXPECT_EQ(b.store->receipts(make_id<OriginId>(1)).next, 0u);
  EXPECT_EQ(b.store->writes_in_flight(), 0u);
}

// req: A15
TEST(StoreBatch, SurvivesACrashWholeOrNotAtAll) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Bench b;
    ASSERT_TRUE(b.store->put_record(kKind, make_id<RecordId>(2), text_of("old"), 9, b.out).ok());
    b.disk.take(b.out);
    b.sync();
    write_all(b, "new");
    b.crash(seed);
    const bool there = record_of(b, 1) == "new";
    EXPECT_EQ(record_of(b, 2), there ? "" : "old");
    EXPECT_EQ(b.store->receipts(make_id<OriginId>(1)).next, there ? 1u : 0u);
    EXPECT_EQ(pages_of(b, {5})[0].has_value(), there);
    seen.insert(there ? "new" : "old");
  }
  EXPECT_EQ(seen.size(), 2u) << "both happened";
}

TEST(StoreBatch, TheLastVersionOfARecordCounts) {
  Bench b;
  b.store->begin_batch();
  ASSERT_TRUE(b.store->put_record(kKind, make_id<RecordId>(1), text_of("one"), 1, b.out).ok());
  ASSERT_TRUE(b.store->erase_record(kKind, make_id<RecordId>(1), 2, b.out).ok());
  ASSERT_TRUE(b.store->put_record(kKind, make_id<RecordId>(1), text_of("three"), 3, b.out).ok());
  b.store->end_batch(b.out);
  b.disk.take(b.out);
  EXPECT_EQ(b.sync().size(), 3u);
  EXPECT_EQ(record_of(b, 1), "three");
  Rng rng(1);
  b.disk.crash(rng);
  b.start();
  EXPECT_EQ(record_of(b, 1), "three");
}

TEST(StoreBatch, AnEmptyOneWritesNothing) {
  Bench b;
  b.store->begin_batch();
  EXPECT_EQ(*b.store->erase_record(kKind, make_id<RecordId>(1), 1, b.out), Accepted::kDurable);
  b.store->end_batch(b.out);
  EXPECT_TRUE(b.out.empty());
  EXPECT_EQ(b.store->writes_in_flight(), 0u);
}

TEST(StorePages, AreBounded) {
  Bench b;
  EXPECT_EQ(b.store->put_page({make_id<BookId>(9), 0}, Bytes(kPageBytesMax + 1), 1, b.out).code(), Errc::kLimit);
  EXPECT_EQ(b.store->read_pages({}, 1, b.out).code(), Errc::kLimit);
  const std::vector<PageKey> many(kPagesPerReadMax + 1);
  EXPECT_EQ(b.store->read_pages(many, 1, b.out).code(), Errc::kLimit);
}

}  // namespace
}  // namespace selvedge::store
