// A backup is a file from anywhere: whatever its text and whatever was sealed in it, it is taken whole or refused. The first byte
// chooses whether the rest is the text or the opened content (no fuzzer gets past a passphrase).
#include "host/daemon/key_backup.h"
#include "base/check.h"

using namespace selvedge;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const ByteView rest{data + 1, size - 1};
  if (data[0] & 1) {
    const Result<host::KeyBackup> backup = host::decode_key_backup(rest);
    if (!backup.ok()) return 0;
    CHECK(host::encode_key_backup(*backup).value() == to_bytes(rest));  // one spelling
  } else {
    const Result<Bytes> sealed = host::parse_key_backup_text(to_string(rest));
    if (sealed.ok()) CHECK(host::parse_key_backup_text(host::key_backup_text(*sealed, "")).value() == *sealed);
  }
  return 0;
}
