// How a secret comes into this process and leaves it: into locked memory, and by a descriptor, never by an argument or the environment.
#pragma once

#include <functional>

#include "cli/commands.h"
#include "crypto/locked.h"

namespace selvedge::cli {

/// Reads a file, or with "-" standard input, straight into locked memory. Errors: kNotFound, kIo, kLimit (larger than `bytes_max`).
Result<crypto::LockedBytes> read_secret(const std::string& path, size_t bytes_max);
/// Writes a new file that only its user may read, or with "-" to standard output, past any buffer. Errors: kExists, kIo.
Status write_secret(const std::string& path, ByteView secret);
inline std::string_view to_string_view(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// The secret of that name from its holders, combined here. Errors: what the node answered, kIntegrity.
Result<crypto::LockedBytes> gather_secret(World& world, const std::string& name, const std::string& purpose, const std::string& scope);

/// Where the command finds the secret: on a pipe that is its standard input, or its descriptor 3, for which "{}" in its words stands as a path.
enum class SecretPlace : uint8_t { kInput, kThird };
/// Runs a command with a secret that `get` fetches, writes it into a pipe, wipes it, and returns the command's exit code (128 and the number of
/// the signal that ended it). Errors: kNotFound (no such command), kIo, or what `get` returned.
CommandResult run_with_secret(const std::vector<std::string>& command, SecretPlace place, const std::function<Result<crypto::LockedBytes>()>& get);

}  // namespace selvedge::cli
