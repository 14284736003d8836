// What each call of the store promises, one by one.
#include "store/store.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "store/layout.h"
#include "store/store_testing.h"

namespace selvedge::store {
namespace {

TEST(Esi, RunsKeepOrderAndAreSmallForRegularPatterns) {
  const std::vector<uint32_t> strided{3, 7, 11, 15, 19};
  EXPECT_EQ(to_runs(strided), (std::vector<EsiRun>{{3, 5, 4}}));
  const std::vector<uint32_t> odd{9, 2, 3, 4, 4'000'000'000u, 1};
  EXPECT_EQ(to_esis(to_runs(odd)), odd);
  Rng rng(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<uint32_t> esis;
    for (size_t i = 0, n = rng.between(1, 64); i < n; ++i) esis.push_back(uint32_t(rng.below(round % 2 ? 40 : UINT32_MAX)));
    const auto runs = to_runs(esis);
    EXPECT_EQ(to_esis(runs), esis);
    const SegmentHead head{77, runs};
    const auto parsed = parse_head(build_head(head));
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parsed->runs, runs);
  }
}

TEST(Store, NothingIsAcknowledgedBeforeTheSync) {
  Bench b;
  EXPECT_EQ(*b.put(meta_of(1), 0, {0, 1, 2}, 41), Accepted::kPending);
  EXPECT_EQ(b.store->coverage(make_id<ObjectId>(1))[0].symbols, 0u);
  EXPECT_EQ(b.store->coverage(make_id<ObjectId>(1))[0].symbols_in_flight, 3u);
  EXPECT_TRUE(b.read_all(make_id<ObjectId>(1)).empty());
  const auto done = b.sync();
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].cookie, 41u);
  EXPECT_TRUE(done[0].status.ok());
  EXPECT_EQ(b.store->coverage(make_id<ObjectId>(1))[0].symbols, 3u);
  b.expect_index_matches_disk();
}

TEST(Store, TheSameSymbolsTwiceAreStoredOnceAndAcknowledgedWhenDurable) {
  Bench b;
  ASSERT_TRUE(b.put(meta_of(1), 0, {0, 1}, 1).ok());
  ASSERT_TRUE(b.put(meta_of(1), 0, {2, 3}, 2).ok());
  EXPECT_EQ(*b.put(meta_of(1), 0, {1, 2}, 3), Accepted::kPending);  // each half is in flight with another write
  EXPECT_EQ(b.disk.in_flight().size(), 2u);
  auto done = b.answer(b.disk.in_flight()[0], FakeDisk::Fate::kPersisted);
  ASSERT_EQ(done.size(), 1u);
  done = b.answer(b.disk.in_flight()[0], FakeDisk::Fate::kPersisted);
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[1].cookie, 3u);
  EXPECT_EQ(*b.put(meta_of(1), 0, {3, 0}, 4), Accepted::kDurable);
  EXPECT_TRUE(b.disk.in_flight().empty());
  EXPECT_EQ(b.store->total_usage().segments, 2u);
}

TEST(Store, ADuplicateOfAFailedWriteFailsWithIt) {
  Bench b;
  ASSERT_TRUE(b.put(meta_of(1), 0, {5}, 1).ok());
  ASSERT_EQ(*b.put(meta_of(1), 0, {5}, 2), Accepted::kPending);
  const auto done = b.refuse();
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0].status.code(), Errc::kIo);
  EXPECT_EQ(done[1].status.code(), Errc::kIo);
  EXPECT_EQ(b.store->find_object(make_id<ObjectId>(1)), nullptr);
  EXPECT_EQ(b.store->total_usage().bytes, 0u);
  ASSERT_TRUE(b.put(meta_of(1), 0, {5}, 3).ok());  // there is room again
  EXPECT_TRUE(b.sync()[0].status.ok());
  b.expect_index_matches_disk();
}

// req: B7
TEST(Store, AnOriginOverItsQuotaIsToldTheFiguresAndOthersAreNot) {
  Bench b;
  const OriginId origin = make_id<OriginId>(2);
  ASSERT_TRUE(b.store->set_quota(origin, 5 * 1024).ok());
  ASSERT_TRUE(b.store->put_segment(meta_of(1, 2), 0, std::vector<uint32_t>{0}, Bytes(4096, 1), 1, b.out).ok());
  const auto refused = b.store->put_segment(meta_of(1, 2), 0, std::vector<uint32_t>{1}, Bytes(2048, 1), 2, b.out);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.code(), Errc::kQuota);
  EXPECT_NE(refused.error().message.find("holds 4 KiB of 5 KiB"), std::string::npos) << refused.error().message;
  EXPECT_EQ(b.put(meta_of(2, 7), 0, {0}, 3).code(), Errc::kQuota);  // nobody gave origin 7 anything
  EXPECT_TRUE(b.put(meta_of(2, 3), 0, {0}, 4).ok());
  b.disk.take(b.out);
  b.sync();
  const auto dropped = b.store->drop_object(make_id<ObjectId>(1), 5, b.out);
  EXPECT_EQ(dropped->bytes, 4096 + kSegmentOverheadBytes);
  EXPECT_TRUE(b.store->put_segment(meta_of(1, 2), 0, std::vector<uint32_t>{1}, Bytes(2048, 1), 6, b.out).ok());
}

// req: B7
TEST(Store, AZoneAndTheNodeHaveHardLimitsToo) {
  Limits limits;
  limits.bytes_max = 3000;
  Bench b(limits);
  ASSERT_TRUE(b.store->set_zone_limit(make_id<ZoneId>(9), 1500).ok());
  HoldMeta elsewhere = meta_of(2);
  elsewhere.zone = make_id<ZoneId>(8);
  const auto put = [&b](const HoldMeta& meta, uint32_t esi) {
    return b.store->put_segment(meta, 0, std::vector<uint32_t>{esi}, Bytes(1000, 1), 1, b.out);
  };
  EXPECT_TRUE(put(meta_of(1), 0).ok());
  EXPECT_EQ(put(meta_of(1), 1).code(), Errc::kQuota);
  EXPECT_TRUE(put(elsewhere, 0).ok());
  const auto full = put(elsewhere, 1);
  ASSERT_EQ(full.code(), Errc::kQuota);
  EXPECT_NE(full.error().message.find("this node"), std::string::npos);
}

TEST(Store, AnObjectBelongsToOneOriginAndZone) {
  Bench b;
  ASSERT_TRUE(b.put(meta_of(1, 1), 0, {0}, 1).ok());
  EXPECT_EQ(b.put(meta_of(1, 2), 0, {1}, 2).code(), Errc::kExists);
  b.sync();
  ASSERT_TRUE(b.store->drop_object(make_id<ObjectId>(1), 3, b.out).ok());
  b.disk.take(b.out);
  EXPECT_EQ(b.put(meta_of(1, 2), 0, {1}, 4).code(), Errc::kExists);  // the drop may still fail
  b.sync();
  EXPECT_TRUE(b.put(meta_of(1, 2), 0, {1}, 5).ok());
}

TEST(Store, MalformedPutsAreRefused) {
  Bench b;
  EXPECT_EQ(b.put(meta_of(1), 0, {}, 1).code(), Errc::kInvalid);
  EXPECT_EQ(b.put(meta_of(1), 0, {4, 4}, 1).code(), Errc::kInvalid);
  EXPECT_EQ(b.put(meta_of(1), 0, std::vector<uint32_t>(kSymbolsPerSegmentMax + 1), 1).code(), Errc::kInvalid);
  const std::vector<uint32_t> one{0};
  EXPECT_EQ(b.store->put_segment(meta_of(1), 0, one, {}, 1, b.out).code(), Errc::kInvalid);
  EXPECT_EQ(b.store->put_segment(meta_of(1), 0, one, Bytes(kSegmentPayloadBytesMax + 1), 1, b.out).code(), Errc::kInvalid);
  EXPECT_TRUE(b.out.empty());
}

// req: B4
TEST(Store, AReadLeavesOutWhatTheAskerHasAndStopsAtItsBudget) {
  Bench b;
  for (uint32_t i = 0; i < 8; ++i) ASSERT_TRUE(b.put(meta_of(1), uint8_t(i % 2), {i * 2, i * 2 + 1}, i).ok());
  b.sync();
  SegmentRead read{make_id<ObjectId>(1), uint8_t(0), {{0, 0, 1}, {0, 4, 4}, {1, 0, 100}}, 1 << 20};
  ASSERT_EQ(*b.store->read_segments(read, 77, b.out), 3u);  // esis 0,1 are known; of 4,5 one is new
  auto loaded = b.serve_reads();
  ASSERT_EQ(loaded.size(), 1u);
  EXPECT_EQ(loaded[0].cookie, 77u);
  EXPECT_EQ(loaded[0].segments[0].esis, (std::vector<uint32_t>{4, 5}));
  EXPECT_EQ(loaded[0].segments[0].payload, payload_of(read.object, 0, loaded[0].segments[0].esis));
  read.bytes_max = 3 * kSymbolBytes;
  EXPECT_EQ(*b.store->read_segments(read, 78, b.out), 1u);
  b.serve_reads();
  read.exclude = {{0, 0, UINT32_MAX}};
  EXPECT_EQ(*b.store->read_segments(read, 79, b.out), 0u);
  read.object = make_id<ObjectId>(5);
  EXPECT_EQ(b.store->read_segments(read, 80, b.out).code(), Errc::kNotFound);
}

TEST(Store, BytesThatVanishedAreForgottenAndCounted) {
  Bench b;
  ASSERT_TRUE(b.put(meta_of(1), 0, {0}, 1).ok());
  ASSERT_TRUE(b.put(meta_of(1), 0, {1}, 2).ok());
  b.sync();
  b.crash(1);
  b.disk.base().erase({Column::kSymbols, symbols_key({make_id<ObjectId>(1), 0, 0})});
  EXPECT_EQ(b.read_all(make_id<ObjectId>(1)).size(), 1u);
  EXPECT_EQ(b.store->segments_lost(), 1u);
  b.sync();
  EXPECT_EQ(b.store->coverage(make_id<ObjectId>(1))[0].symbols, 1u);
  EXPECT_EQ(*b.put(meta_of(1), 0, {0}, 3), Accepted::kPending);  // it can come back
}

// req: A12
TEST(Store, WhatHasExpiredGoesAndAFailedRemovalIsTriedAgainLater) {
  Bench b;
  ASSERT_TRUE(b.put(meta_of(1, 1, 1000), 0, {0}, 1).ok());
  ASSERT_TRUE(b.put(meta_of(2, 1, 2000), 0, {0}, 2).ok());
  b.sync();
  EXPECT_EQ(b.store->next_deadline(), Instant::from_unix_seconds(1000));
  EXPECT_EQ(b.store->expire(Instant::from_unix_seconds(999), b.out).objects, 0u);
  EXPECT_EQ(b.store->expire(Instant::from_unix_seconds(1000), b.out).objects, 1u);
  b.disk.take(b.out);
  b.refuse();
  EXPECT_NE(b.store->find_object(make_id<ObjectId>(1)), nullptr);
  b.expect_index_matches_disk();
  EXPECT_EQ(b.store->expire(Instant::from_unix_seconds(1001), b.out).objects, 0u);
  EXPECT_EQ(b.store->next_deadline(), Instant::from_unix_seconds(1001) + kExpireRetryDelay);
  EXPECT_EQ(b.store->expire(b.store->next_deadline(), b.out).objects, 1u);
  b.disk.take(b.out);
  b.sync();
  EXPECT_EQ(b.store->find_object(make_id<ObjectId>(1)), nullptr);
  b.expect_index_matches_disk();
  ASSERT_TRUE(b.store->renew_object(make_id<ObjectId>(2), 5000, Hold::kPinned, 0, 9, b.out).ok());
  b.disk.take(b.out);
  EXPECT_TRUE(b.sync()[0].status.ok());
  EXPECT_EQ(b.store->next_deadline(), Instant::from_unix_seconds(5000));
  b.crash(3);
  EXPECT_EQ(b.store->find_object(make_id<ObjectId>(2))->hold, Hold::kPinned);
}

// req: B7
TEST(Store, RoomIsMadeFromCachesFirstAndNeverFromPinsOrRetained) {
  Bench b;
  const auto put = [&b](uint8_t object, Hold hold, uint64_t expires_s, uint64_t retain_s) {
    HoldMeta meta = meta_of(object, 1, expires_s);
    meta.hold = hold;
    meta.retain_until_s = retain_s;
    ASSERT_TRUE(b.put(meta, 0, {0}, object).ok());
  };
  put(1, Hold::kReplica, 100, 0);
  put(2, Hold::kCache, 900, 0);
  put(3, Hold::kCache, 500, 0);
  put(4, Hold::kPinned, 90, 0);
  put(5, Hold::kCache, 80, 60);
  b.sync();
  const uint64_t one = kSymbolBytes + kSegmentOverheadBytes;
  const Instant now = Instant::from_unix_seconds(50);
  EXPECT_EQ(b.read_all(make_id<ObjectId>(3)).size(), 1u);
  EXPECT_EQ(b.store->reclaim(now, 1, ReclaimOrder::kLeastRecentlyRead, b.out)->bytes, one);
  EXPECT_EQ(b.store->find_object(make_id<ObjectId>(2)), nullptr);
  EXPECT_EQ(b.store->reclaim(now, 100 * one, ReclaimOrder::kSoonestExpiry, b.out)->bytes, 2 * one);
  EXPECT_NE(b.store->find_object(make_id<ObjectId>(4)), nullptr);
  EXPECT_NE(b.store->find_object(make_id<ObjectId>(5)), nullptr);
  EXPECT_EQ(b.store->find_object(make_id<ObjectId>(1)), nullptr);
}

// req: A11
TEST(Store, DroppingAnOriginTakesAllOfItsObjectsAndNothingElse) {
  Bench b;
  for (uint8_t object = 1; object <= 6; ++object) ASSERT_TRUE(b.put(meta_of(object, 1 + object % 2), 0, {0, 1}, object).ok());
  b.sync();
  const auto dropped = b.store->drop_origin(make_id<OriginId>(1), 50, b.out);
  ASSERT_TRUE(dropped.ok());
  EXPECT_EQ(dropped->objects, 3u);
  EXPECT_EQ(b.store->usage(make_id<OriginId>(1)).bytes, 0u);
  EXPECT_EQ(b.store->drop_object(make_id<ObjectId>(2), 51, b.out)->accepted, Accepted::kPending);
  b.disk.take(b.out);
  const auto done = b.sync();
  ASSERT_EQ(done.size(), 2u);
  EXPECT_EQ(done[0].cookie, 50u);
  EXPECT_EQ(b.store->drop_object(make_id<ObjectId>(2), 52, b.out)->accepted, Accepted::kDurable);
  EXPECT_EQ(b.store->objects(nullptr, 10).size(), 3u);
  b.expect_index_matches_disk();
}

TEST(Store, ManyObjectsAreDroppedInBoundedBatchesAnsweredOnce) {
  Bench b;
  ASSERT_TRUE(b.store->set_quota(make_id<OriginId>(1), uint64_t(1) << 40).ok());
  for (uint32_t i = 0; i < 9000; ++i) {
    HoldMeta meta = meta_of(1);
    store_u32(meta.object.bytes.data(), i);
    ASSERT_TRUE(b.store->put_segment(meta, 0, std::vector<uint32_t>{i}, Bytes(1), i, b.out).ok());
    if (i % 1000 == 999) {
      for (const Effect& effect : b.out.take()) b.store->on_persisted(std::get<DiskWrite>(effect).token);
    }
  }
  ASSERT_TRUE(b.store->drop_origin(make_id<OriginId>(1), 7, b.out).ok());
  const auto effects = b.out.take();
  EXPECT_EQ(effects.size(), 4u);  // 27000 keys
  std::vector<Done> done;
  for (const Effect& effect : effects) {
    EXPECT_LE(std::get<DiskWrite>(effect).writes.size(), kWritesPerBatchMax + 3);
    EXPECT_TRUE(done.empty());
    done = b.store->on_persisted(std::get<DiskWrite>(effect).token);
  }
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(b.store->total_usage().segments, 0u);
}

TEST(Store, RecordsAreVisibleAtOnceAndRolledBackOneByOne) {
  Bench b;
  const RecordId id = make_id<RecordId>(3);
  const auto put = [&](const char* text) { return b.store->put_record(1, id, to_bytes(view(text)), 1, b.out); };
  ASSERT_TRUE(put("one").ok());
  b.disk.take(b.out);
  b.sync();
  ASSERT_TRUE(put("two").ok());
  ASSERT_TRUE(put("three").ok());
  b.disk.take(b.out);
  EXPECT_EQ(to_string(*b.store->find_record(1, id)), "three");
  const auto tokens = b.disk.in_flight();
  b.answer(tokens[0], FakeDisk::Fate::kFailed);
  EXPECT_EQ(to_string(*b.store->find_record(1, id)), "three");
  b.answer(tokens[1], FakeDisk::Fate::kFailed);
  EXPECT_EQ(to_string(*b.store->find_record(1, id)), "one");
  // The failed writes may still turn up after a restart: only a new write makes the old value certain.
  EXPECT_EQ(*put("one"), Accepted::kPending);
  b.disk.take(b.out);
  b.sync();
  EXPECT_EQ(*put("one"), Accepted::kDurable);
  ASSERT_TRUE(put("four").ok());
  ASSERT_TRUE(b.store->erase_record(1, id, 2, b.out).ok());
  b.disk.take(b.out);
  EXPECT_EQ(b.store->find_record(1, id), nullptr);
  // Answers that overtake each other change nothing: the erasure is the later write.
  const auto both = b.disk.in_flight();
  b.answer(both[1], FakeDisk::Fate::kPersisted);
  b.answer(both[0], FakeDisk::Fate::kPersisted);
  EXPECT_EQ(b.store->find_record(1, id), nullptr);
  EXPECT_EQ(*b.store->erase_record(1, id, 3, b.out), Accepted::kDurable);
}

TEST(Store, RecordsAreListedByKindInOrderAndBounded) {
  Limits limits;
  limits.records_max = 6;
  limits.records_bytes_max = 100;
  Bench b(limits);
  for (uint8_t i : {5, 1, 3}) ASSERT_TRUE(b.store->put_record(2, make_id<RecordId>(i), {i}, 0, b.out).ok());
  ASSERT_TRUE(b.store->put_record(1, make_id<RecordId>(9), {9}, 0, b.out).ok());
  ASSERT_TRUE(b.store->put_record(255, make_id<RecordId>(0), {9}, 0, b.out).ok());
  const auto first = b.store->records(2, nullptr, 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ((*first[0].value)[0], 1);
  const auto rest = b.store->records(2, &first[1].id, 10);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ((*rest[0].value)[0], 5);
  EXPECT_EQ(b.store->records(255, nullptr, 9).size(), 1u);
  EXPECT_EQ(b.store->put_record(3, make_id<RecordId>(1), Bytes(96), 0, b.out).code(), Errc::kLimit);
  EXPECT_TRUE(b.store->put_record(3, make_id<RecordId>(1), Bytes(95), 0, b.out).ok());
  EXPECT_EQ(b.store->put_record(3, make_id<RecordId>(2), {}, 0, b.out).code(), Errc::kLimit);
}

TEST(Store, ReceiptsAreAppendedReadBackAndTrimmed) {
  Bench b;
  const OriginId origin = make_id<OriginId>(1);
  for (uint8_t i = 0; i < 5; ++i) EXPECT_EQ(*b.store->append_receipt(origin, {i}, i, b.out), i);
  b.disk.take(b.out);
  const auto tokens = b.disk.in_flight();
  b.answer(tokens[4], FakeDisk::Fate::kFailed);  // the last one: its number is given again
  b.answer(tokens[1], FakeDisk::Fate::kFailed);  // one in the middle: a hole
  b.sync();
  EXPECT_EQ(*b.store->append_receipt(origin, {44}, 9, b.out), 4u);
  b.disk.take(b.out);
  b.sync();
  ASSERT_EQ(*b.store->read_receipts(origin, 0, 100, 6, b.out), 5u);
  const auto loaded = b.serve_reads();
  ASSERT_EQ(loaded[0].receipts.size(), 4u);
  EXPECT_EQ(loaded[0].receipts[1].sequence, 2u);
  EXPECT_EQ(loaded[0].receipts[3].bytes, Bytes{44});
  EXPECT_EQ(*b.store->trim_receipts(origin, 3, 7, b.out), 3u);
  b.disk.take(b.out);
  b.sync();
  b.crash(1);
  EXPECT_EQ(b.store->receipts(origin).first, 3u);
  EXPECT_EQ(b.store->receipts(origin).next, 5u);
  EXPECT_EQ(*b.store->read_receipts(origin, 0, 100, 8, b.out), 2u);
  EXPECT_EQ(b.serve_reads()[0].receipts.size(), 2u);
  EXPECT_EQ(b.store->receipt_origins(nullptr, 9), std::vector<OriginId>{origin});
}

TEST(Store, ADiskThatIsBehindPushesBack) {
  Limits limits;
  limits.in_flight_max = 2;
  Bench b(limits);
  ASSERT_TRUE(b.put(meta_of(1), 0, {0}, 1).ok());
  ASSERT_TRUE(b.put(meta_of(1), 0, {1}, 2).ok());
  EXPECT_EQ(b.put(meta_of(1), 0, {2}, 3).code(), Errc::kLimit);
  EXPECT_EQ(b.store->put_record(1, make_id<RecordId>(1), {1}, 4, b.out).code(), Errc::kLimit);
  EXPECT_EQ(b.store->drop_object(make_id<ObjectId>(1), 5, b.out).code(), Errc::kLimit);
  b.sync();
  EXPECT_TRUE(b.put(meta_of(1), 0, {2}, 6).ok());
}

TEST(Store, RecoveryCountsDamageAndClearsWhatCannotServe) {
  Bench b;
  for (uint8_t object = 1; object <= 4; ++object) ASSERT_TRUE(b.put(meta_of(object), 0, {0}, object).ok());
  ASSERT_TRUE(b.store->put_record(1, make_id<RecordId>(1), {1}, 9, b.out).ok());
  b.disk.take(b.out);
  b.sync();
  b.crash(1);
  auto& base = b.disk.base();
  base[{Column::kMeta, segment_head_key({make_id<ObjectId>(1), 0, 0})}].pop_back();
  base.erase({Column::kMeta, object_meta_key(make_id<ObjectId>(2))});
  base[{Column::kMeta, Bytes{'?'}}] = {1};
  base[{Column::kRecords, Bytes{1, 2}}] = {1};
  b.start();
  EXPECT_EQ(b.report.corrupt, 3u);
  EXPECT_EQ(b.report.orphans, 1u);
  EXPECT_EQ(b.report.segments, 2u);
  EXPECT_EQ(b.report.records, 1u);
  b.sync();
  b.expect_index_matches_disk();
  EXPECT_EQ(base.count({Column::kRecords, Bytes{1, 2}}), 1u);  // a record nobody can read is left for a person
}

// The fuzz corpus is content that real stores wrote. With SELVEDGE_WRITE_CORPUS set it is written anew.
TEST(StoreCorpus, IsWhatRealStoresWrite) {
  for (int variant = 0; variant < 3; ++variant) {
    Bench b;
    for (uint32_t i = 0; i < 2 + uint32_t(variant); ++i) {
      std::vector<uint32_t> esis{i * 4, i * 4 + 1, i * 4 + 3};
      ASSERT_TRUE(b.put(meta_of(uint8_t(1 + i % 2), 1, 1000 + i), uint8_t(i % 2), esis, i).ok());
    }
    ASSERT_TRUE(b.store->put_record(1, make_id<RecordId>(1), {1, 2, 3}, 9, b.out).ok());
    for (int i = 0; i < variant; ++i) ASSERT_TRUE(b.store->append_receipt(make_id<OriginId>(1), {7}, 9, b.out).ok());
    b.disk.take(b.out);
    b.sync();
    Bytes file;
    for (const auto& [at, value] : b.disk.content()) {
      append(file, Bytes{uint8_t(at.first), uint8_t(at.second.size()), uint8_t(value.size())});
      append(file, at.second);
      append(file, value);
    }
    const std::string path = std::string(SELVEDGE_SOURCE_DIR) + "/tests/corpus/store_recover_fuzz/store" +
                             std::to_string(variant) + ".bin";
    if (std::getenv("SELVEDGE_WRITE_CORPUS")) std::ofstream(path, std::ios::binary) << to_string(file);
    std::ifstream in(path, std::ios::binary);
    const std::string committed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_EQ(committed, to_string(file)) << "the layout on disk changed: see layout.h, then write the corpus anew";
  }
}

TEST(Store, BeyondItsLimitsRecoveryLeavesTheRestOnDisk) {
  Bench b;
  for (uint8_t object = 1; object <= 4; ++object) ASSERT_TRUE(b.put(meta_of(object), 0, {0}, object).ok());
  b.sync();
  b.limits.objects_max = 2;
  b.crash(1);
  EXPECT_EQ(b.report.objects, 2u);
  EXPECT_EQ(b.report.over_limit, 4u);  // two objects and their segments
  b.limits.objects_max = 9;
  b.start();
  EXPECT_EQ(b.report.objects, 4u);
}

}  // namespace
}  // namespace selvedge::store
