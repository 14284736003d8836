// Homes and backups of keys: what lies where, what is refused, and that a backup brings back what went in.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "codec/multibase.h"
#include "host/daemon/key_backup.h"
#include "host/daemon/key_files.h"

namespace selvedge::host {
namespace {

constexpr crypto::PassphraseCost kCheap{1, crypto::kPassphraseMemoryMinKib};

crypto::Seed seed_of(uint8_t byte) { return crypto::Seed::from(Bytes(32, byte)).value(); }
OwnerRoot root_of(uint8_t byte) { return {seed_of(byte), seed_of(uint8_t(byte + 1))}; }
NodeKeys node_of(uint8_t byte, const crypto::PublicKey& owner) { return {owner, seed_of(byte), seed_of(uint8_t(byte + 1)), {}}; }

class HomeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "selvedge-home-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string at(const std::string& name) const { return dir_ + "/" + name; }
  std::string dir_;
};

// req: A1
TEST_F(HomeTest, KeepsTheOwnersKeyApartFromTheNodes) {
  const Home home = Home::create(at("a")).value();
  EXPECT_TRUE(home.holds_root);
  struct stat info {};
  for (const std::string& path : {home.owner_key_path(), home.node_key_path()}) {
    ASSERT_EQ(stat(path.c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << path;
  }
  // The owner's key may go elsewhere: the node stays what it is.
  ASSERT_EQ(unlink(home.owner_key_path().c_str()), 0);
  const Home without = Home::open(at("a")).value();
  EXPECT_FALSE(without.holds_root);
  EXPECT_EQ(without.owner_key, home.owner_key);
  EXPECT_EQ(without.node_key, home.node_key);
  EXPECT_FALSE(without.load_keys()->root.has_value());
}

TEST_F(HomeTest, ADeviceHasNoOwnersKey) {
  const crypto::PublicKey owner = root_of(1).public_key();
  const Home home = Home::create_device(at("a"), owner).value();
  EXPECT_FALSE(home.holds_root);
  EXPECT_EQ(home.owner_key, codec::key_text(owner));
  EXPECT_EQ(Home::create_device(at("a"), owner).code(), Errc::kExists);
  EXPECT_EQ(Home::create(at("a")).code(), Errc::kExists);
}

TEST_F(HomeTest, AnOwnersKeyAloneGetsANode) {
  const Home first = Home::create(at("a")).value();
  ASSERT_EQ(unlink(first.node_key_path().c_str()), 0);
  EXPECT_EQ(Home::open(at("a")).code(), Errc::kNotFound);
  EXPECT_EQ(Home::create_device(at("a"), root_of(1).public_key()).code(), Errc::kExists) << "this is the owner's own device";
  const Home second = Home::create(at("a")).value();
  EXPECT_EQ(second.owner_key, first.owner_key);
  EXPECT_NE(second.node_key, first.node_key);
}

TEST_F(HomeTest, RefusesTheKeyOfAnotherOwner) {
  const Home home = Home::create(at("a")).value();
  ASSERT_TRUE(write_private_file(home.owner_key_path(), encode_owner_file(root_of(1)).view(), IfThere::kReplace).ok());
  EXPECT_EQ(Home::open(at("a")).code(), Errc::kInvalid);
}

// req: A1
TEST_F(HomeTest, NewNodeKeysNameWhatTheySucceed) {
  const Home home = Home::create(at("a")).value();
  const HomeKeys before = home.load_keys().value();
  NodeKeys fresh = node_of(9, before.node.owner);
  fresh.succeeds = before.node.public_key();
  ASSERT_TRUE(home.replace_node_keys(fresh).ok());
  const HomeKeys after = home.load_keys().value();
  EXPECT_TRUE(after.node.node.equals(fresh.node));
  EXPECT_EQ(after.node.succeeds, before.node.public_key());
  EXPECT_TRUE(after.root->owner.equals(before.root->owner)) << "the owner stays the owner";
}

TEST_F(HomeTest, RestoringOverwritesNothing) {
  const OwnerRoot root = root_of(1);
  const NodeKeys node = node_of(5, root.public_key());
  const Home home = Home::restore(at("a"), root.clone(), node.clone()).value();
  EXPECT_TRUE(home.holds_root);
  EXPECT_EQ(home.node_key, codec::key_text(node.public_key()));
  EXPECT_TRUE(Home::restore(at("a"), root.clone(), node.clone()).ok()) << "the same once more changes nothing";
  EXPECT_EQ(Home::restore(at("a"), root_of(2), std::nullopt).code(), Errc::kExists);
  EXPECT_EQ(Home::restore(at("a"), std::nullopt, node_of(7, root.public_key())).code(), Errc::kExists);
  EXPECT_EQ(Home::restore(at("b"), root.clone(), node_of(7, root_of(2).public_key())).code(), Errc::kInvalid) << "two owners";
  EXPECT_EQ(Home::restore(at("c"), std::nullopt, std::nullopt).code(), Errc::kInvalid);
  EXPECT_EQ(Home::open(at("a"))->node_key, home.node_key);
}

TEST_F(HomeTest, ARootAloneMakesANewNodeOrJoinsTheDeviceOfItsOwner) {
  const OwnerRoot root = root_of(1);
  const Home fresh = Home::restore(at("a"), root.clone(), std::nullopt).value();
  EXPECT_EQ(fresh.owner_key, codec::key_text(root.public_key()));
  const Home device = Home::create_device(at("b"), root.public_key()).value();
  const Home joined = Home::restore(at("b"), root.clone(), std::nullopt).value();
  EXPECT_EQ(joined.node_key, device.node_key);
  EXPECT_TRUE(joined.holds_root);
  (void)Home::create_device(at("c"), root_of(2).public_key()).value();
  EXPECT_EQ(Home::restore(at("c"), root.clone(), std::nullopt).code(), Errc::kExists) << "that device is another owner's";
}

TEST(KeyFileTest, EveryChangedByteIsNoticed) {
  const OwnerRoot root = root_of(1);
  const NodeKeys node = node_of(5, root.public_key());
  const OwnerFile owner_file = encode_owner_file(root);
  const NodeFile node_file = encode_node_file(node);
  EXPECT_TRUE(decode_owner_file(owner_file.view(), "x")->zones.equals(root.zones));
  EXPECT_TRUE(decode_node_file(node_file.view(), "x")->seal.equals(node.seal));
  EXPECT_FALSE(decode_owner_file(node_file.view(), "x").ok()) << "one is not the other";
  for (size_t i = 0; i < kNodeFileBytes; ++i) {
    Bytes changed = to_bytes(node_file.view());
    changed[i] ^= 1;
    EXPECT_FALSE(decode_node_file(changed, "x").ok()) << i;
    EXPECT_FALSE(decode_node_file(node_file.view().first(i), "x").ok()) << i;
  }
}

// ---- backups

KeyBackup whole_backup() {
  KeyBackup backup;
  backup.root = root_of(1);
  backup.node = node_of(5, backup.root->public_key());
  backup.node->succeeds = root_of(9).public_key();
  backup.hints = {{root_of(11).public_key(), {"192.0.2.1:7443", "[2001:db8::1]:7443"}}};
  return backup;
}

void expect_same(const KeyBackup& a, const KeyBackup& b) {
  ASSERT_EQ(a.root.has_value(), b.root.has_value());
  ASSERT_EQ(a.node.has_value(), b.node.has_value());
  if (a.root) {
    EXPECT_TRUE(a.root->owner.equals(b.root->owner) && a.root->zones.equals(b.root->zones));
  }
  if (a.node) {
    EXPECT_TRUE(a.node->node.equals(b.node->node) && a.node->seal.equals(b.node->seal));
    EXPECT_EQ(a.node->owner, b.node->owner);
    EXPECT_EQ(a.node->succeeds, b.node->succeeds);
  }
  EXPECT_EQ(a.hints, b.hints);
}

TEST(KeyBackupTest, BringsBackWhatWentIn) {
  crypto::Drbg drbg(seed_of(1));
  for (int holds : {1, 2, 3}) {
    KeyBackup backup = whole_backup();
    if (!(holds & 1)) backup.root.reset();
    if (!(holds & 2)) backup.node.reset();
    const std::string text = seal_key_backup(backup, view("correct horse battery"), kCheap, drbg).value();
    expect_same(open_key_backup(text, view("correct horse battery")).value(), backup);
  }
}

TEST(KeyBackupTest, SurvivesACapitalisedAndRewrappedCopy) {
  crypto::Drbg drbg(seed_of(1));
  std::string text = seal_key_backup(whole_backup(), view("correct horse"), kCheap, drbg).value();
  std::string copy;
  for (char c : text) copy += c == '\n' ? std::string("\r\n  ") : std::string(1, c >= 'a' && c <= 'z' ? char(c - 'a' + 'A') : c);
  // The comments became lines with spaces before them: what a mail program does to a quoted text.
  std::string unquoted;
  for (size_t at = 0, end; (end = copy.find('\n', at)) != std::string::npos; at = end + 1) {
    const size_t begin = copy.find_first_not_of(' ', at);
    unquoted += copy.substr(begin, end + 1 - begin);
  }
  expect_same(open_key_backup(unquoted, view("correct horse")).value(), whole_backup());
}

TEST(KeyBackupTest, TellsADamagedCopyFromAWrongPassphrase) {
  crypto::Drbg drbg(seed_of(1));
  const std::string text = seal_key_backup(whole_backup(), view("correct horse"), kCheap, drbg).value();
  EXPECT_EQ(open_key_backup(text, view("incorrect horse")).code(), Errc::kUnauthorized);
  std::string changed = text;
  char& last = changed[changed.size() - 10];
  last = last == 'a' ? 'b' : 'a';
  EXPECT_EQ(open_key_backup(changed, view("correct horse")).code(), Errc::kIntegrity);
  EXPECT_EQ(open_key_backup(text.substr(0, text.size() - 66), view("correct horse")).code(), Errc::kIntegrity);
  EXPECT_EQ(open_key_backup("hello", view("correct horse")).code(), Errc::kInvalid);
  EXPECT_EQ(open_key_backup("selvedgekeys2\naaaa", view("correct horse")).code(), Errc::kUnsupported);
}

TEST(KeyBackupTest, ShowsNoSecretAndTakesNoShortPassphrase) {
  crypto::Drbg drbg(seed_of(1));
  const KeyBackup backup = whole_backup();
  EXPECT_EQ(seal_key_backup(backup, view("short"), kCheap, drbg).code(), Errc::kInvalid);
  const std::string text = seal_key_backup(backup, view("correct horse"), kCheap, drbg).value();
  const Bytes sealed = parse_key_backup_text(text).value();
  for (const crypto::Seed* secret : {&backup.root->owner, &backup.root->zones, &backup.node->node, &backup.node->seal}) {
    EXPECT_EQ(std::search(sealed.begin(), sealed.end(), secret->view().begin(), secret->view().end()), sealed.end());
    EXPECT_EQ(text.find(codec::base32_encode(secret->view())), std::string::npos);
  }
}

TEST(KeyBackupTest, RefusesWhatIsNoBackup) {
  EXPECT_EQ(encode_key_backup({}).code(), Errc::kInvalid);
  const Bytes plain = encode_key_backup(whole_backup()).value();
  for (size_t size = 0; size < plain.size(); ++size) EXPECT_FALSE(decode_key_backup(ByteView(plain).first(size)).ok()) << size;
  Bytes longer = plain;
  longer.push_back(0);
  EXPECT_FALSE(decode_key_backup(longer).ok());
  Bytes later = plain;
  later[0] = 2;
  EXPECT_EQ(decode_key_backup(later).code(), Errc::kUnsupported);
}

}  // namespace
}  // namespace selvedge::host
