#include <gradus/models/training/progress.h>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace gradus {

namespace {

constexpr double period = 0.1;  // seconds between two drawings
constexpr std::int64_t width = 30;

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

bool has_colour() {
  const char* const no_color = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return (no_color == nullptr || *no_color == '\0') && terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace

Bar::Bar(std::string label) : label_(std::move(label)), drawn_(seconds()) {}

Bar::~Bar() {
  if (shown_) std::fputs("\r\033[K", stderr);
}

bool Bar::is_seen() {
  static const bool seen = ::isatty(STDERR_FILENO) == 1;
  return seen;
}

bool Bar::due() const { return is_seen() && seconds() - drawn_ >= period; }

void Bar::show(std::int64_t done, std::int64_t steps, std::string_view text) {
  if (!is_seen()) return;
  static const bool colour = has_colour();
  const std::int64_t filled = width * std::min(done, steps) / std::max<std::int64_t>(steps, 1);
  drawn_ = seconds();
  shown_ = true;
  // fputs, which a terminal that is gone does not make throw.
  std::fputs(fmt::format("\r{} [{}{:#<{}}{}{:{}}] {}\033[K", label_, colour ? "\033[32m" : "", "", filled,
                         colour ? "\033[0m" : "", "", width - filled, text)
                 .c_str(),
             stderr);
}

Progress::Progress(std::string label, std::int64_t steps)
    : bar_(std::move(label)), steps_(std::max<std::int64_t>(steps, 1)) {}

void Progress::step() {
  done_ = std::min(done_ + 1, steps_);
  if (bar_.due() || done_ == steps_)
    bar_.show(done_, steps_, fmt::format("{:>{}}/{}", done_, fmt::formatted_size("{}", steps_), steps_));
}

}  // namespace gradus
