// The wire format of Protocol Buffers, written: a message is a row of fields, each a tag (number and kind) and a value,
// and a message inside another is its bytes with their count in front (protobuf.dev/programming-guides/encoding).
// What the numbers of fields mean stands with those who write: onnx.cpp, tensorboard.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace gradus {

class ProtobufMessage {
 public:
  /// int32, int64, uint32, uint64, bool, enum: seven bits a byte, the lowest first; a negative number takes ten bytes.
  void integer(int field, std::int64_t value);
  /// float and double, little-endian.
  void fixed32(int field, float value);
  void fixed64(int field, double value);
  /// string and bytes, as they are; a string should be UTF-8.
  void bytes(int field, std::string_view value);
  void message(int field, const ProtobufMessage& value) { bytes(field, value.encoded_); }
  /// A repeated integer, packed: one field that holds them all.
  void packed(int field, std::span<const std::int64_t> values);

  /// The message so far.
  const std::string& encoded() const { return encoded_; }

 private:
  std::string encoded_;
};

}  // namespace gradus
