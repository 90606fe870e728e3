// Curves for TensorBoard: an event file of scalars, in the folder that `tensorboard --logdir FOLDER` is pointed at. It
// is a row of records (TFRecord: length, its checksum, bytes, their checksum; CRC-32C, masked), each an Event in the
// wire format of Protocol Buffers. What is written of an epoch is in the file when the call returns, and what was
// there stays whole whatever happens after.
#pragma once

#include <gradus/core/io/append_file.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

/// A number of one step: {"loss/train", 0.25}. Names with a slash are shown in groups.
struct Scalar {
  std::string name;
  double value;
};

/// CRC-32C (Castagnoli: polynomial 0x1EDC6F41, reflected; RFC 3720, appendix B.4).
std::uint32_t crc32c(std::string_view bytes);

class TensorBoardLog {
 public:
  /// Makes the folder where it is not there, and in it a file of its own, so that a resumed run goes on beside the
  /// first. Throws IoError.
  explicit TensorBoardLog(const std::string& folder);

  /// One event with these scalars at a step (an epoch), float32, stamped with the time of the call. Throws IoError.
  void write(std::int64_t step, std::span<const Scalar> scalars);
  void write(std::int64_t step, std::initializer_list<Scalar> scalars) {
    write(step, std::span(scalars.begin(), scalars.size()));
  }

  const std::string& path() const { return file_.path(); }

 private:
  AppendFile file_;
};

}  // namespace gradus
