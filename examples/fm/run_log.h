// A run's log as JSON lines: an object a line, each with "event" and "time" (seconds since 1970, UTC) first.
//
//   {"event":"start","time":1764041400.25,"gradus":"0.1.0","data":"ratings.csv","options":{"factors":20,"rate":0.05}}
//   {"event":"epoch","time":1764041401.5,"epoch":1,"loss":0.81,"valid_rmse":0.93,"seconds":0.4,"examples_per_second":2e5}
//   {"event":"end","time":1764041409.75,"best_epoch":17,"valid_rmse":0.91}
//
// A line is in the file when the call returns: of a run that was killed, all lines but perhaps the last are whole.
#pragma once

#include <gradus/core/io/append_file.h>
#include "fact.h"

#include <string>
#include <string_view>

namespace fm {

class RunLog {
 public:
  /// Begins the file anew, or for a resumed run (Open::lines) goes on after its last whole line. Throws IoError.
  explicit RunLog(const std::string& path, gradus::AppendFile::Open open = gradus::AppendFile::Open::anew)
      : file_(path, open) {}

  /// A line of these facts; where `options` are given, they are an object inside it. Numbers that are not finite,
  /// which JSON cannot write, become the texts "nan", "inf" and "-inf"; text that is not UTF-8 is mended as by
  /// valid_utf8. Throws IoError.
  void write(std::string_view event, const Facts& facts, const Facts& options = {});

 private:
  gradus::AppendFile file_;
};

}  // namespace fm
