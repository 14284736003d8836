// Names as text and bytes: varints, base32, z-base-32, CIDs; files as a DAG; tickets.
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "codec/dag.h"
#include "codec/multibase.h"
#include "codec/ticket.h"
#include "codec/value.h"
#include "codec/varint.h"
#include "crypto/hash.h"

namespace selvedge::codec {
namespace {

TEST(VarintTest, RoundTripsAndTakesTheShortestFormOnly) {
  for (const uint64_t value : {uint64_t(0), uint64_t(1), uint64_t(127), uint64_t(128), uint64_t(255), uint64_t(300), uint64_t(16384),
                               uint64_t(INT64_MAX)}) {
    Bytes out;
    append_varint(out, value);
    out.push_back(0xaa);
    ByteView in = out;
    EXPECT_EQ(take_varint(in).value(), value);
    EXPECT_EQ(in.size(), 1u);
  }
  Bytes out;
  append_varint(out, 300);
  EXPECT_EQ(to_hex(out), "ac02");
  const auto code = [](std::string_view hex) {
    const Bytes bytes = from_hex(hex).value();
    ByteView in = bytes;
    return take_varint(in).code();
  };
  EXPECT_EQ(code(""), Errc::kInvalid);
  EXPECT_EQ(code("80"), Errc::kInvalid);
  EXPECT_EQ(code("8000"), Errc::kNonCanonical);
  EXPECT_EQ(code("ffffffffffffffffff01"), Errc::kInvalid);
}

TEST(MultibaseTest, MatchesRfc4648) {
  const std::pair<const char*, const char*> cases[] = {{"", ""},           {"f", "my"},         {"fo", "mzxq"},      {"foo", "mzxw6"},
                                                       {"foob", "mzxw6yq"}, {"fooba", "mzxw6ytb"}, {"foobar", "mzxw6ytboi"}};
  for (const auto& [plain, text] : cases) {
    EXPECT_EQ(base32_encode(view(plain)), text);
    EXPECT_EQ(to_string(base32_decode(text).value()), plain);
  }
  EXPECT_EQ(base32_decode("mz").code(), Errc::kNonCanonical) << "bits after the end";
  EXPECT_EQ(base32_decode("m").code(), Errc::kInvalid);
  EXPECT_EQ(base32_decode("m1").code(), Errc::kInvalid);
  EXPECT_EQ(base32_decode("MY").code(), Errc::kInvalid);
}

// req: A1
TEST(MultibaseTest, KeysAreZBase32AsInPkarr) {
  const auto key = [](std::string_view hex) { return crypto::PublicKey::from(from_hex(hex).value()).value(); };
  const auto bep44 = key("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548");
  EXPECT_EQ(key_text(bep44), "q99ajrn41gjsg36ynpoeycer9r1df9g3y11dkrc8pz4h5h98hiry");
  const auto iroh = key("ae58ff8833241ac82d6ff7611046ed67b5072d142c588d0063e942d9a75502b6");
  EXPECT_EQ(key_text(iroh), "i3cx9nburopcommx67otytzpc64oqmewftce4ydd7fbpuj4iyk5y");
  EXPECT_EQ(parse_key(key_text(bep44)).value(), bep44);
  EXPECT_FALSE(parse_key("").ok());
  EXPECT_FALSE(parse_key(key_text(bep44).substr(1)).ok());
  std::string last = key_text(bep44);
  last.back() = 'b';  // sets a bit that belongs to nothing
  EXPECT_FALSE(parse_key(last).ok());
}

TEST(CidTest, MatchesKnownNames) {
  const Cid hello = Cid::of(Codec::kRaw, view("hello\n"));
  EXPECT_EQ(hello.text(), "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am");
  EXPECT_EQ(Cid::parse(hello.text()).value(), hello);
  EXPECT_EQ(Cid::from_bytes(hello.bytes()).value(), hello);
  EXPECT_EQ(hello.bytes().size(), Cid::kSize);
  EXPECT_TRUE(hello.verify(view("hello\n")).ok());
  EXPECT_EQ(hello.verify(view("hello")).code(), Errc::kIntegrity);
}

TEST(CidTest, RefusesOtherSorts) {
  EXPECT_EQ(Cid::parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n").code(), Errc::kUnsupported);
  EXPECT_EQ(Cid::parse("zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA").code(), Errc::kUnsupported);
  EXPECT_EQ(Cid::parse("").code(), Errc::kInvalid);
  const std::string text = Cid::of(Codec::kRaw, view("x")).text();
  EXPECT_FALSE(Cid::parse(text.substr(0, text.size() - 1)).ok());
  EXPECT_FALSE(Cid::parse(text + "a").ok());
  Bytes bytes = Cid::of(Codec::kRaw, view("x")).bytes();
  bytes[1] = 0x70;  // dag-pb
  EXPECT_EQ(Cid::from_bytes(bytes).code(), Errc::kUnsupported);
  bytes[1] = 0x55;
  bytes[2] = 0x1e;  // blake3
  EXPECT_EQ(Cid::from_bytes(bytes).code(), Errc::kUnsupported);
}

class BlockMap {
 public:
  BlockSink sink() {
    return [this](const Cid& cid, ByteView block) -> Status {
      blocks_[cid] = to_bytes(block);
      return ok();
    };
  }
  BlockSource source() {
    return [this](const Cid& cid) -> Result<Bytes> {
      const auto it = blocks_.find(cid);
      if (it == blocks_.end()) return fail(Errc::kNotFound, "no such block");
      return it->second;
    };
  }
  std::map<Cid, Bytes> blocks_;
};

Bytes random_bytes(size_t size) {
  Rng rng(size);
  Bytes out(size);
  for (uint8_t& byte : out) byte = uint8_t(rng.next());
  return out;
}

// req: B6
TEST(DagTest, FilesOfEverySizeComeBackWhole) {
  for (const size_t size : {size_t(0), size_t(1), kChunkSize - 1, kChunkSize, kChunkSize + 1, 3 * kChunkSize, 3 * kChunkSize + 5}) {
    BlockMap store;
    const Bytes data = random_bytes(size);
    const StoredFile file = chunk_file(data, store.sink()).value();
    EXPECT_EQ(file.size, size);
    EXPECT_EQ(file.root.codec, size <= kChunkSize ? Codec::kRaw : Codec::kDagCbor) << size;
    if (size <= kChunkSize) {
      EXPECT_EQ(file.root, Cid::of(Codec::kRaw, data));
    }
    EXPECT_EQ(read_file(file.root, store.source(), size).value(), data);
    if (size > 0) {
      EXPECT_EQ(read_file(file.root, store.source(), size - 1).code(), Errc::kLimit);
    }
    FileChunker pieces([](const Cid&, ByteView) { return ok(); });
    for (size_t at = 0; at < size; at += 100'000) {
      ASSERT_TRUE(pieces.write(ByteView(data).subspan(at, std::min<size_t>(100'000, size - at))).ok());
    }
    EXPECT_EQ(pieces.finish().value().root, file.root) << "the cuts of the writer do not matter";
  }
}

// req: B6
TEST(DagTest, AChangedBlockIsNoticed) {
  BlockMap store;
  const StoredFile file = chunk_file(random_bytes(2 * kChunkSize), store.sink()).value();
  for (auto& [cid, block] : store.blocks_) {
    block[block.size() / 2] ^= 1;
    EXPECT_EQ(read_file(file.root, store.source(), UINT64_MAX).code(), Errc::kIntegrity);
    block[block.size() / 2] ^= 1;
  }
  EXPECT_TRUE(read_file(file.root, store.source(), UINT64_MAX).ok());
}

TEST(DagTest, NodesAreDagCborMapsInCanonicalOrder) {
  FileNode node{{{Cid::of(Codec::kRaw, view("a")), kChunkSize}, {Cid::of(Codec::kRaw, view("b")), 3}}, kChunkSize + 3};
  const Bytes block = encode_node(node);
  const std::string text = diagnostic(decode_value(block).value());
  EXPECT_TRUE(text.starts_with("{\"size\": 262147, \"type\": \"file\", \"chunks\": [{\"cid\": 42(h'0001551220")) << text;
  EXPECT_EQ(std::get<FileNode>(decode_node(block).value()), node);
}

TEST(DagTest, DirectoriesAreSortedAndNamesAreSafe) {
  const Cid cid = Cid::of(Codec::kRaw, view("a"));
  DirectoryNode node{{{cid, "b", 2}, {cid, "a", 1}}};
  const Bytes block = encode_node(node).value();
  const auto back = std::get<DirectoryNode>(decode_node(block).value());
  ASSERT_EQ(back.entries.size(), 2u);
  EXPECT_EQ(back.entries[0].name, "a");
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a\0b", 3),
                                  std::string(256, 'x'), std::string("\xff")}) {
    EXPECT_EQ(encode_node(DirectoryNode{{{cid, name, 1}}}).code(), Errc::kInvalid) << name;
  }
  EXPECT_EQ(encode_node(DirectoryNode{{{cid, "a", 1}, {cid, "a", 1}}}).code(), Errc::kInvalid);
  EXPECT_EQ(encode_node(DirectoryNode{{{cid, "a", UINT64_MAX}, {cid, "b", 1}}}).code(), Errc::kInvalid);
}

TEST(DagTest, RefusesNodesThatCuttingNeverMakes) {
  const Cid raw = Cid::of(Codec::kRaw, view("a"));
  const Cid link = Cid::of(Codec::kDagCbor, view("a"));
  const auto code = [](const FileNode& node) { return decode_node(encode_node(node)).code(); };
  EXPECT_EQ(code({{{raw, 5}, {raw, 5}}, 10}), Errc::kInvalid) << "a short chunk before the last";
  EXPECT_EQ(code({{{raw, kChunkSize}, {raw, 5}}, 10}), Errc::kInvalid) << "a wrong sum";
  EXPECT_EQ(code({{{raw, kChunkSize}, {link, 5}}, kChunkSize + 5}), Errc::kInvalid) << "a node as chunk";
  EXPECT_EQ(code({{{raw, kChunkSize}, {raw, 0}}, kChunkSize}), Errc::kInvalid) << "an empty chunk";
  EXPECT_EQ(code({{{raw, 5}}, 5}), Errc::kNonCanonical) << "one chunk needs no node";
}

Ticket sample_ticket() {
  Ticket ticket;
  ticket.node.bytes.fill(1);
  ticket.owner.bytes.fill(2);
  ticket.addresses = {"192.0.2.1:7443", "[2001:db8::1]:7443"};
  ticket.expires = 1'800'000'000;
  return ticket;
}

// req: C5
TEST(TicketTest, SurvivesCopyingAndShouting) {
  const Ticket ticket = sample_ticket();
  const std::string text = ticket_text(ticket).value();
  EXPECT_TRUE(text.starts_with("selvedge1"));
  EXPECT_EQ(parse_ticket(text).value(), ticket);
  EXPECT_EQ(parse_ticket("  " + text + "\n").value(), ticket);
  std::string upper = text;
  for (char& c : upper) c = char(toupper(c));
  EXPECT_EQ(parse_ticket(upper).value(), ticket);
}

// req: C5
TEST(TicketTest, SaysWhatIsWrong) {
  const std::string text = ticket_text(sample_ticket()).value();
  EXPECT_EQ(parse_ticket("endpoint" + text).code(), Errc::kInvalid);
  std::string next = text;
  next[8] = '2';
  EXPECT_EQ(parse_ticket(next).code(), Errc::kUnsupported);
  for (size_t size = 9; size < text.size(); ++size) EXPECT_EQ(parse_ticket(text.substr(0, size)).code(), Errc::kIntegrity) << size;
  for (size_t i = 9; i < text.size(); ++i) {
    std::string typo = text;
    typo[i] = typo[i] == 'a' ? 'b' : 'a';
    EXPECT_EQ(parse_ticket(typo).code(), Errc::kIntegrity) << i;
  }
  EXPECT_NE(parse_ticket(text.substr(0, 20)).error().message.find("whole ticket"), std::string::npos);
  EXPECT_EQ(parse_ticket(std::string(kTicketTextSizeMax + 1, 'a')).code(), Errc::kLimit);
}

TEST(TicketTest, RefusesToMakeNonsense) {
  Ticket ticket = sample_ticket();
  ticket.addresses.assign(kTicketAddressesMax + 1, "a:1");
  EXPECT_EQ(ticket_text(ticket).code(), Errc::kLimit);
  ticket.addresses = {"\xff\xfe:1"};
  EXPECT_EQ(ticket_text(ticket).code(), Errc::kInvalid);
  EXPECT_EQ(ticket_text(Ticket{}).code(), Errc::kInvalid);
}

}  // namespace
}  // namespace selvedge::codec
