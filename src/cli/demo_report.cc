#include "cli/demo_report.h"

#include <fmt/format.h>

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

void DemoReport::figure(const char* name, uint64_t value) { figures_.number(name, value); }
void DemoReport::figure(const char* name, double value) { figures_.decimal(name, value); }

void DemoReport::finish(const Error* error) {
  const bool good = all_held() && error == nullptr;
  if (error != nullptr) failed_.push_back(error->message);
  Record last;
  last.text("demo", good ? "ok" : "failed").number("checks", checks_);
  if (!good) last.raw("failed", codec::to_json_text(failed_));
  std::string json = last.json();
  const std::string figures = figures_.json();
  if (figures.size() > 2) json = json.substr(0, json.size() - 1) + "," + figures.substr(1);
  if (good) {
    terminal_.line(fmt::format("\nAll {} checks held.", checks_));
  } else {
    terminal_.line(fmt::format("\n{} of {} checks failed:", failed_.size() - (error == nullptr ? 0 : 1), checks_));
    for (const std::string& each : failed_) terminal_.line("  ✗ " + each);
  }
  terminal_.record(json);
}

}  // namespace selvedge::cli
