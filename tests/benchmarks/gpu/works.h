// The steps that are timed on a device, and what each must cost there at the least.
#pragma once

#include "machine.h"

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

struct Sizes {
  std::int64_t examples = 0;        // rows of a step at most; 0: all of the data, and batches of 65,536
  std::int64_t features = 1000000;  // of the rows in the manner of Criteo's
};

struct Row {
  std::string work = {};
  std::string data = {};      // in words
  std::string step = {};      // whether a step is one launch, as Session::explain says it
  std::int64_t examples = 0;  // rows of a step
  StepTime time = {};
  double floor = 0;           // seconds a step must take on this machine
  std::string floor_of = {};  // what the floor is, in words
  double bytes = 0;           // that a step must move in the device's memory; 0: too few to count
  double target = 0;          // seconds of the host's clock; 0: there is none
};

struct Work {
  std::string name;
  /// Throws gradus::Error where the device's losses are not the CPU's.
  Row (*run)(const gradus::Device& device, const Machine& machine, const Sizes& sizes, const Effort& effort);
};
std::vector<Work> all_works();

}  // namespace bench
