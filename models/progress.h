// A progress bar on standard error, drawn only where that is a terminal: logs and pipes see nothing of it.
#pragma once

#include <cstdint>
#include <string>

namespace gradus {

class Progress {
 public:
  /// "training [#####     ]  48/100"
  Progress(std::string label, std::int64_t steps);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Removes the bar.
  ~Progress();

  void step();

 private:
  std::string label_;
  std::int64_t steps_;
  std::int64_t done_ = 0;
  bool shown_;
};

}  // namespace gradus
