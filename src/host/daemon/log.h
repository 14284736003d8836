// Log: what happened on this node, in its home, bounded in size. No secrets and no contents: the node sees to that.
#pragma once

#include <memory>
#include <string>

namespace selvedge::host {

class Log {
 public:
  explicit Log(const std::string& path);
  ~Log();
  void write(const std::string& text);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace selvedge::host
