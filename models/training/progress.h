// Progress bars on standard error, drawn only where that is a terminal: logs and pipes see nothing of them. They have
// colour unless the environment has NO_COLOR (https://no-color.org) or the terminal is dumb.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace gradus {

/// A bar that is redrawn a few times a second, with what there is to say beside it.
class Bar {
 public:
  /// "epoch 3/30 [######----------]  loss 0.9113": the label is what comes first.
  explicit Bar(std::string label);
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;
  /// Removes it.
  ~Bar();

  /// Whether bars are drawn at all.
  static bool is_seen();
  /// Whether it is time to draw again. Ask first where the text costs something.
  bool due() const;
  void show(std::int64_t done, std::int64_t steps, std::string_view text);

 private:
  std::string label_;
  double drawn_;  // seconds of the steady clock
  bool shown_ = false;
};

class Progress {
 public:
  /// "training [#####     ]  48/100"
  Progress(std::string label, std::int64_t steps);

  void step();

 private:
  Bar bar_;
  std::int64_t steps_;
  std::int64_t done_ = 0;
};

}  // namespace gradus
