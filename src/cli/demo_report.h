// DemoReport: how the demonstration tells its story, and where every check and figure of it is collected.
//
// For a person: steps, the commands as they could be typed, results. With --json: one record for each of these, and as
// the last {"demo":"ok",...figures} or {"demo":"failed","failed":[...],...}. The demonstration succeeded when every check did.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/json.h"
#include "cli/terminal.h"

namespace selvedge::cli {

class DemoReport {
 public:
  explicit DemoReport(Terminal& terminal) : terminal_(terminal) {}

  void step(int number, std::string_view title);
  /// A command as a person could type it, without "selvedge --home HOME".
  void command(const std::string& home, std::string_view rest);
  /// Any other shell command.
  void shell(std::string_view text);
  /// What came out of it.
  void say(std::string_view text);
  /// Remembers and shows whether something that must hold does. Returns `holds`.
  bool check(std::string_view what, bool holds, std::string_view detail = "");
  /// A figure for the summary and the last record; its name says the unit.
  void figure(const char* name, uint64_t value);
  void figure(const char* name, double value);

  Terminal& terminal() { return terminal_; }
  bool all_held() const { return failed_.empty() && checks_ > 0; }
  size_t checks() const { return checks_; }
  /// The closing words and the last record. `error` is why the story ended early, if it did.
  void finish(const Error* error);

 private:
  Terminal& terminal_;
  size_t checks_ = 0;
  std::vector<std::string> failed_;
  struct Figure {
    std::string name;
    std::string value;
  };
  std::vector<Figure> figures_;
};

}  // namespace selvedge::cli
