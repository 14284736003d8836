#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/json.h"
#include "codec/multibase.h"

namespace selvedge::cli {

namespace {

constexpr size_t kShortKeyLength = 10;
constexpr size_t kColumnsDefault = 80;

// Columns a text takes: our own texts have no wide characters, so every UTF-8 lead byte is one.
size_t width_of(std::string_view text) {
  return size_t(std::count_if(text.begin(), text.end(), [](char c) { return (uint8_t(c) & 0xC0) != 0x80; }));
}

// The length of the valid UTF-8 sequence at the start of `text`, or 0.
size_t sequence_length(std::string_view text) {
  const uint8_t lead = uint8_t(text[0]);
  const size_t length = lead < 0x80 ? 1 : lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((uint8_t(text[i]) & 0xC0) != 0x80) return 0;
  }
  return length;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    const uint8_t first = uint8_t(text[0]);
    // C0, DEL and C1 controls move cursors and set titles.
    const bool control = length == 1 ? first < 0x20 || first == 0x7F : length == 2 && first == 0xC2 && uint8_t(text[1]) < 0xA0;
    if (length == 0 || control) out += "\uFFFD";
    else out += text.substr(0, length);
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return out;
}

std::string short_key(const crypto::PublicKey& key) { return key.is_zero() ? "-" : codec::key_text(key).substr(0, kShortKeyLength); }

Terminal::Terminal(OutputForm form) : form_(form), progress_(form == OutputForm::kPeople && isatty(STDERR_FILENO) == 1) {}

size_t Terminal::columns() const {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : kColumnsDefault;
}

void Terminal::line(std::string_view text) {
  if (json()) return;
  failed_ = failed_ || std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fputc('\n', stdout) == EOF;
  if (progress_) std::fflush(stdout);
}

void Terminal::remark(std::string_view text) {
  if (json()) return;
  std::fflush(stdout);
  std::fprintf(stderr, "%.*s\n", int(text.size()), text.data());
}

void Terminal::record(std::string_view json_text) {
  if (!json()) return;
  failed_ = failed_ || std::fwrite(json_text.data(), 1, json_text.size(), stdout) != json_text.size() || std::fputc('\n', stdout) == EOF;
  // A program that follows along wants each record when it is made.
  failed_ = failed_ || std::fflush(stdout) != 0;
}

void Terminal::error(const Error& error) {
  std::fflush(stdout);
  if (json()) {
    const std::string body = Record().text("code", errc_name(error.code)).text("message", error.message).json();
    std::fprintf(stderr, "%s\n", Record().raw("error", body).json().c_str());
  } else {
    std::fprintf(stderr, "selvedge: %s\n", printable(error.message).c_str());
  }
}

Status Terminal::write_raw(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size()) return ok();
  failed_ = true;
  return fail(Errc::kIo, std::string("cannot write to standard output: ") + strerror(errno));
}

Status Terminal::finish() {
  if (std::fflush(stdout) == 0 && !failed_) return ok();
  return fail(Errc::kIo, "standard output did not take everything (is the disk full, or was the pipe closed?)");
}

ProgressBar::ProgressBar(Terminal& terminal, std::string label) : terminal_(terminal), label_(std::move(label)) {}
ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::show(uint64_t done, uint64_t total, std::string_view remark) {
  if (!terminal_.shows_progress()) return;
  constexpr size_t kCells = 24;
  std::string bar;
  if (total > 0) {
    const size_t full = size_t(std::min(done, total) * kCells / total);
    for (size_t i = 0; i < kCells; ++i) bar += i < full ? "█" : "░";
    bar += fmt::format(" {:>3}%", std::min(done, total) * 100 / total);
  }
  std::string text = fmt::format("{} {}  {}", label_, bar, remark);
  // A line that wraps could not be drawn over.
  const size_t columns = terminal_.columns();
  while (width_of(text) >= columns) {
    while ((uint8_t(text.back()) & 0xC0) == 0x80) text.pop_back();
    text.pop_back();
  }
  std::fflush(stdout);
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_) return;
  std::fprintf(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

Table::Table(std::vector<std::string> headers) {
  for (std::string& header : headers) {
    right_.push_back(!header.empty() && header.front() == '>');
    headers_.push_back(right_.back() ? header.substr(1) : std::move(header));
  }
}

void Table::row(std::vector<std::string> cells) {
  cells.resize(headers_.size());
  rows_.push_back(std::move(cells));
}

void Table::print(Terminal& terminal, std::string_view indent) const {
  std::vector<size_t> widths;
  for (const std::string& header : headers_) widths.push_back(width_of(header));
  for (const auto& cells : rows_) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width_of(cells[i]));
  }
  const auto print_row = [&](const std::vector<std::string>& cells) {
    std::string text(indent);
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string gap(widths[i] - width_of(cells[i]), ' ');
      const bool last = i + 1 == cells.size();
      text += right_[i] ? gap + cells[i] : last ? cells[i] : cells[i] + gap;
      if (!last) text += "  ";
    }
    terminal.line(text);
  };
  print_row(headers_);
  for (const auto& cells : rows_) print_row(cells);
}

}  // namespace selvedge::cli
