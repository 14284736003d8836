#include "cli/demo_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/schema.h"

namespace selvedge::cli {

void DemoReport::step(int number, std::string_view title) {
  terminal_.line(fmt::format("\n{}. {}", number, title));
  terminal_.record(Record().number("step", uint64_t(number)).text("title", title).json());
}

void DemoReport::command(const std::string& home, std::string_view rest) { shell(fmt::format("selvedge --home {} {}", home, rest)); }

void DemoReport::shell(std::string_view text) {
  terminal_.line(fmt::format("   $ {}", text));
  terminal_.record(Record().text("command", text).json());
}

void DemoReport::say(std::string_view text) {
  terminal_.line(fmt::format("     {}", text));
  terminal_.record(Record().text("result", text).json());
}

bool DemoReport::check(std::string_view what, bool holds, std::string_view detail) {
  ++checks_;
  if (!holds) failed_.emplace_back(detail.empty() ? std::string(what) : fmt::format("{}: {}", what, detail));
  terminal_.line(fmt::format("   {} {}{}{}", holds ? "✓" : "✗ FAILED:", what, detail.empty() ? "" : " — ", detail));
  terminal_.record(Record().text("check", what).flag("ok", holds).text("detail", detail).json());
  return holds;
}

void DemoReport::figure(const char* name, uint64_t value) { figures_.push_back({name, std::to_string(value)}); }
void DemoReport::figure(const char* name, double value) { figures_.push_back({name, fmt::format("{:.3f}", value)}); }

void DemoReport::finish(const Error* error) {
  const bool good = all_held() && error == nullptr;
  if (error != nullptr) failed_.push_back(error->message);
  Record last;
  last.text("demo", good ? "ok" : "failed").number("checks", checks_);
  if (!good) last.raw("failed", codec::to_json_text(failed_));
  Table summary({"summary", ">"});
  for (const Figure& figure : figures_) {
    last.raw(figure.name.c_str(), figure.value);
    std::string words = figure.name;
    std::replace(words.begin(), words.end(), '_', ' ');
    summary.row({words, figure.value});
  }
  terminal_.line("");
  if (!summary.empty()) summary.print(terminal_, "   ");
  if (good) {
    terminal_.line(fmt::format("\nAll {} checks held.", checks_));
  } else {
    const size_t broken = failed_.size() - (error == nullptr ? 0 : 1);
    terminal_.line(fmt::format("\n{} of {} checks failed{}", broken, checks_, error == nullptr ? ":" : ", and the demonstration ended early:"));
    for (const std::string& each : failed_) terminal_.line("  ✗ " + each);
  }
  terminal_.record(last.json());
}

}  // namespace selvedge::cli
