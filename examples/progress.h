// Progress bars on standard error, drawn only where that is a terminal: logs and pipes see nothing of them. They have
// colour unless the environment has NO_COLOR (https://no-color.org) or the terminal is dumb.
#pragma once

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

/// A bar that is redrawn a few times a second, with what there is to say beside it.
class Bar {
 public:
  /// "epoch 3/30 [######----------]  loss 0.9113": the label is what comes first.
  explicit Bar(std::string label) : label_(std::move(label)), drawn_(seconds()) {}
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;
  /// Removes it.
  ~Bar() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }

  /// Whether bars are drawn at all.
  static bool is_seen() {
    static const bool seen = ::isatty(STDERR_FILENO) == 1;
    return seen;
  }
  /// Whether it is time to draw again. Ask first where the text costs something.
  bool due() const {
    constexpr double period = 0.1;  // seconds between two drawings
    return is_seen() && seconds() - drawn_ >= period;
  }
  void show(std::int64_t done, std::int64_t steps, std::string_view text) {
    if (!is_seen()) return;
    constexpr std::int64_t width = 30;
    const std::int64_t filled = width * std::min(done, steps) / std::max<std::int64_t>(steps, 1);
    drawn_ = seconds();
    shown_ = true;
    // fputs, which a terminal that is gone does not make throw.
    std::fputs(fmt::format("\r{} [{}{:#<{}}{}{:{}}] {}\033[K", label_, has_colour() ? "\033[32m" : "", "", filled,
                           has_colour() ? "\033[0m" : "", "", width - filled, text)
                   .c_str(),
               stderr);
  }

 private:
  static double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  static bool has_colour() {
    const char* const no_color = std::getenv("NO_COLOR");
    const char* const terminal = std::getenv("TERM");
    return (no_color == nullptr || *no_color == '\0') && terminal != nullptr && std::string_view(terminal) != "dumb";
  }

  std::string label_;
  double drawn_;  // seconds of the steady clock
  bool shown_ = false;
};

/// "training [#####     ]  48/100"
class Progress {
 public:
  Progress(std::string label, std::int64_t steps) : bar_(std::move(label)), steps_(std::max<std::int64_t>(steps, 1)) {}

  void step() {
    done_ = std::min(done_ + 1, steps_);
    if (bar_.due() || done_ == steps_)
      bar_.show(done_, steps_, fmt::format("{:>{}}/{}", done_, fmt::format("{}", steps_).size(), steps_));
  }

 private:
  Bar bar_;
  std::int64_t steps_;
  std::int64_t done_ = 0;
};
