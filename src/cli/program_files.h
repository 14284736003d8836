// Files that go to a program with its task, and files that come back from it.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "node/api.h"

namespace selvedge::cli {

/// Adds what `--file [NAME=]PATH` or `NAME=CID` names. A folder becomes one archive, in `scratch`.
/// Errors: kInvalid, kNotFound, kIo, kLimit.
Status add_program_files(const std::vector<std::string>& files, const std::string& scratch, node::RunRequest& request);

/// Writes what a program left in /out into the folder `out_dir`, over what is there. Returns the path of a file with its standard output: the
/// one at `output` if it left nothing, or one in `scratch`. Errors: kIo, kLimit.
Result<std::string> unpack_output(const std::string& output, const std::string& out_dir, const std::string& scratch);

}  // namespace selvedge::cli
