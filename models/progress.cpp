#include <gradus/models/progress.h>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace gradus {

Progress::Progress(std::string label, std::int64_t steps)
    : label_(std::move(label)), steps_(std::max<std::int64_t>(steps, 1)), shown_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_ && done_ > 0) std::fputs("\r\033[K", stderr);
}

void Progress::step() {
  done_ = std::min(done_ + 1, steps_);
  if (!shown_) return;
  constexpr std::int64_t width = 40;
  const std::int64_t filled = width * done_ / steps_;
  // fputs, which a terminal that is gone does not make throw.
  std::fputs(fmt::format("\r{} [{:#<{}}{:{}}] {:>{}}/{}", label_, "", filled, "", width - filled, done_,
                         std::to_string(steps_).size(), steps_)
                 .c_str(),
             stderr);
}

}  // namespace gradus
