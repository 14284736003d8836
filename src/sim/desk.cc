#include "sim/desk.h"

#include <algorithm>
#include <map>

#include "base/rng.h"
#include "work/dtaps.h"

namespace selvedge::sim {

namespace {

using work::Level;

constexpr Duration kStep = milliseconds(1);
constexpr int64_t kFrameSteps = 17;
constexpr double kFrameMs = 16.7;
constexpr Duration kReading = seconds(1);        // the bridge reads once a second, and at once when it sees something coming
// Degrees: at rest, and how far a full load drives it; it follows with a time constant of a minute.
constexpr double kAmbient = 45, kLoadDegrees = 60, kHeatSeconds = 60;
constexpr double kTrip = 95;
constexpr double kDrainPercentPerHour = 20, kLoadDrainPercentPerHour = 400;  // fast, so that a run shows it

class Desk {
 public:
  explicit Desk(const DeskOptions& options) : options_(options), rng_(options.seed), dtaps_(options.processors) {
    battery_ = double(rng_.between(30, 100));
    for (uint64_t id = 1; id <= options_.leases; ++id) add_lease(id);
    plan_visit();
  }

  DeskResult run() {
    const Instant end = now_ + options_.time;
    while (now_ < end) {
      step();
      now_ = now_ + kStep;
    }
    return result_;
  }

 private:
  struct Guest { work::Envelope envelope; uint32_t permille = 0; };

  template <class Input>
  void feed(Input input) {
    work::Dtaps::Out out;
    input(out);
    for (work::DtapsEffect& effect : out.take()) {
      if (const auto* pace = std::get_if<work::SetPace>(&effect)) guests_[pace->lease].permille = pace->permille;
    }
  }

  void add_lease(uint64_t id) {
    work::Envelope envelope;
    envelope.cpu_permille = uint32_t(rng_.between(300, 1000));
    envelope.battery_percent_min = uint8_t(rng_.below(6) * 10);
    envelope.only_while_charging = rng_.chance(1, 4);
    guests_[id].envelope = envelope;
    feed([&](auto& out) { dtaps_.on_lease(now_, id, envelope, uint32_t(rng_.between(1, 10)), out); });
    feed([&](auto& out) { dtaps_.on_work(now_, id, now_, out); });
  }

  // When the person comes next, for how long, and whether anything shows it before: a lid, a phone nearby, the hour.
  void plan_visit() {
    comes_ = now_ + milliseconds(int64_t(rng_.between(5'000, 40'000)));
    goes_ = comes_ + milliseconds(int64_t(rng_.between(2'000, 20'000)));
    announced_ = rng_.chance(4, 5);
    seen_ = announced_ ? comes_ - milliseconds(int64_t(rng_.between(100, 800))) : comes_ + milliseconds(int64_t(rng_.between(0, 1000)));
  }

  Level heat_level() const {
    const double below = kTrip - heat_;
    return below <= 2 ? Level::kCritical : below <= 10 ? Level::kHigh : below <= 20 ? Level::kRaised : Level::kCalm;
  }

  void read_signals() {
    const bool soon = now_ >= seen_ && now_ < goes_;
    if (now_ < next_reading_ && !(soon && signals_.interaction == Level::kCalm)) return;
    next_reading_ = now_ + kReading;
    signals_.interaction = now_ >= comes_ && soon ? Level::kCritical : soon ? Level::kHigh : Level::kCalm;
    signals_.heat = heat_level();
    signals_.charging = plugged_;
    signals_.battery_percent = uint8_t(int(battery_) / 10 * 10);
    signals_.drain = plugged_ || battery_ > 50 ? Level::kCalm : battery_ > 30 ? Level::kRaised : battery_ > 10 ? Level::kHigh : Level::kCritical;
    feed([&](auto& out) { dtaps_.on_signals(now_, signals_, out); });
  }

  void step() {
    if (now_ >= goes_) plan_visit();
    if (rng_.chance(1, 120'000)) plugged_ = !plugged_;
    if (dtaps_.next_deadline() <= now_) feed([&](auto& out) { dtaps_.on_deadline(now_, out); });
    read_signals();
    double guests = 0;  // processors that guests take
    const bool present = now_ >= comes_;
    for (auto& [id, guest] : guests_) {
      const double share = (options_.scheduled ? guest.permille : guest.envelope.cpu_permille) / 1000.0;
      guests += share;
      const bool forbidden = !signals_.charging && (guest.envelope.only_while_charging || signals_.battery_percent < guest.envelope.battery_percent_min);
      if (forbidden) result_.guests_cpu_forbidden_s += share * kStep.seconds();
    }
    const double taken = std::min(guests, double(options_.processors));
    result_.guests_cpu_s += taken * kStep.seconds();
    if (present) result_.guests_cpu_present_s += taken * kStep.seconds();
    if (present && ++steps_ % kFrameSteps == 0) draw(guests);
    warm((taken + (present ? 0.4 : 0.05)) / options_.processors);
  }

  void draw(double guests) {
    double cost_ms = double(rng_.between(2'000, 14'000)) / 1000;
    if (rng_.chance(1, 200)) cost_ms = 18;
    const double slower = std::max(1.0, (1 + guests) / options_.processors);
    const bool missed = cost_ms * slower > kFrameMs, alone = cost_ms > kFrameMs;
    ++result_.frames;
    result_.missed_alone += alone;
    result_.missed += missed;
    result_.missed_announced += missed && !alone && announced_;
  }

  void warm(double load) {
    heat_ += (kAmbient + kLoadDegrees * std::min(load, 1.0) - heat_) * kStep.seconds() / kHeatSeconds;
    battery_ += (plugged_ ? 100 : -(kDrainPercentPerHour + kLoadDrainPercentPerHour * std::min(load, 1.0))) * kStep.seconds() / 3600;
    battery_ = std::clamp(battery_, 0.0, 100.0);
    result_.hottest = std::max(result_.hottest, heat_);
    result_.battery_low = std::min(result_.battery_low, battery_);
  }

  DeskOptions options_;
  Rng rng_;
  work::Dtaps dtaps_;
  DeskResult result_;
  Instant now_ = Instant::from_unix_seconds(1'800'000'000);
  std::map<uint64_t, Guest> guests_;
  work::Signals signals_;
  Instant comes_, goes_, seen_, next_reading_;
  bool announced_ = false, plugged_ = true;
  int64_t steps_ = 0;
  double heat_ = kAmbient, battery_ = 100;
};

}  // namespace

DeskResult run_desk(const DeskOptions& options) { return Desk(options).run(); }

}  // namespace selvedge::sim
