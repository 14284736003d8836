// Files: reads and writes the owner's files for their node, on workers.
//
// Writes to one path happen in the order they were asked for, into a file beside it that takes its name with the last
// piece: whoever looks sees the old file or the whole new one. A failed write removes what it left.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>

#include "base/bytes.h"
#include "host/loop/loop.h"

namespace selvedge::host {

class Files {
 public:
  explicit Files(Loop& loop) : loop_(loop) {}
  /// Up to `bytes_max` bytes from `offset`; fewer at the end. Errors: kNotFound, kIo.
  void read(const std::string& path, uint64_t offset, uint64_t bytes_max, std::function<void(Result<Bytes>)> done);
  /// Errors: kIo. After an error the rest of the file's pieces fail too, until one at offset 0.
  void write(const std::string& path, uint64_t offset, Bytes bytes, bool last, std::function<void(Status)> done);
  /// Removes what write() left beside `path`. Call when its writes have been answered.
  void discard(const std::string& path);

 private:
  struct Write {
    uint64_t offset;
    Bytes bytes;
    bool last;
    std::function<void(Status)> done;
  };
  struct Target {
    std::deque<Write> writes;
    bool busy = false;
    bool broken = false;
  };
  void next(const std::string& path);

  Loop& loop_;
  std::map<std::string, Target> targets_;
};

}  // namespace selvedge::host
