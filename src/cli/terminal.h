// Terminal: everything the command says, to a person or to a program.
//
// For a person: lines on standard output, remarks and a progress bar on standard error, the bar only where that is a
// terminal. With --json: one JSON record a line on standard output, errors as a record on standard error, nothing else.
// Text that came from elsewhere is shown without its control characters, so that no file name can drive the terminal.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/types.h"

namespace selvedge::cli {

enum class OutputForm : uint8_t { kPeople, kJson };

class Terminal {
 public:
  explicit Terminal(OutputForm form);
  bool json() const { return form_ == OutputForm::kJson; }
  /// Is standard error a terminal that a person watches?
  bool shows_progress() const { return progress_; }
  size_t columns() const;

  /// A line on standard output; nothing with --json.
  void line(std::string_view text);
  /// A remark on standard error; nothing with --json.
  void remark(std::string_view text);
  /// A JSON record on standard output; nothing without --json.
  void record(std::string_view json);
  void error(const Error& error);
  /// Bytes as they are on standard output. Errors: kIo.
  Status write_raw(std::string_view bytes);
  /// Errors: kIo when standard output did not take everything (a full disk, a closed pipe).
  Status finish();

 private:
  OutputForm form_;
  bool progress_;
  bool failed_ = false;
};

/// One line that is drawn over and over; gone when it goes.
class ProgressBar {
 public:
  ProgressBar(Terminal& terminal, std::string label);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  /// `total` 0: not known yet.
  void show(uint64_t done, uint64_t total, std::string_view remark);
  void clear();

 private:
  Terminal& terminal_;
  std::string label_;
  bool drawn_ = false;
};

/// Columns that line up. A cell may be empty; numbers are aligned to the right.
class Table {
 public:
  /// A header that begins with '>' is a column of numbers.
  explicit Table(std::vector<std::string> headers);
  void row(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  void print(Terminal& terminal, std::string_view indent = "") const;

 private:
  std::vector<std::string> headers_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// Without control characters, and with what is not UTF-8 replaced.
std::string printable(std::string_view text);
/// The first characters of a key, enough for a person to tell keys apart in a table.
std::string short_key(const crypto::PublicKey& key);

}  // namespace selvedge::cli
