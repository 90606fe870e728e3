// Memory for what is written once and read at the end: in a file that has no name any more, which the system writes out
// and which is gone with the process, however that ends.
#pragma once

#include <gradus/core/tensor/tensor.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gradus {

class Scratch {
 public:
  /// In a file of this folder; "": in memory.
  explicit Scratch(std::string folder = {}) : folder_(std::move(folder)) {}

  /// A dense tensor that may be written to; a small one is in memory. Throws IoError where the folder has no room.
  Tensor tensor(const Type& type);
  /// What has been written may leave memory; it comes back as it is read.
  void let_go();

 private:
  struct Mapping {
    std::weak_ptr<std::byte> memory;  // of tensors that are there still
    std::size_t bytes;
  };
  std::string folder_;
  std::vector<Mapping> mappings_;
};

}  // namespace gradus
