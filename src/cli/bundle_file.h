// Bundles on disk: from the folder of a program to one signed archive, and back.
//
// What a bundle is made of is written in a TOML file (`selvedge bundle example`). The archive is a CARv1: its root is the signed manifest, the
// other blocks are the modules and assets, cut as files are everywhere (codec/dag.h), so that other IPLD tools can unpack it.
#pragma once

#include <map>
#include <string>

#include "codec/car.h"
#include "crypto/sign.h"
#include "object/bundle.h"

namespace selvedge::cli {

inline constexpr uint64_t kBundleFileSizeMax = 512u << 20;

/// A bundle that was read: its manifest is genuine, and every block is what it is called.
struct Bundle {
  object::Signed<object::Manifest> manifest;
  std::map<codec::Cid, Bytes> blocks;
  /// The content of one of the manifest's files. Errors: kNotFound (the archive lacks it), kIntegrity.
  Result<Bytes> file(const object::BundleFile& file) const;
};

/// Whether modules are made able to be taken up again from a checkpoint (asyncify.h).
enum class Modules : uint8_t { kAsTheyAre, kResumable };

/// Builds the archive that `path` describes; the files it names lie beside it. `publisher` signs. `now` is Unix seconds.
/// Errors: kInvalid with "line N:", kNotFound, kIo, kLimit, or why a module cannot run in the fabric.
Result<Bytes> build_bundle(const std::string& path, const crypto::Signer& publisher, uint64_t now, Modules modules = Modules::kAsTheyAre);

/// Errors: kInvalid, kIntegrity, kUnsupported, kLimit, kNotFound (a file of the manifest is not in the archive).
Result<Bundle> open_bundle(ByteView archive);
/// Whether a file looks like a bundle and not like a module.
bool is_bundle(ByteView head);

const char* bundle_example();

}  // namespace selvedge::cli
