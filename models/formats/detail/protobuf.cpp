#include <gradus/models/formats/detail/protobuf.h>

#include <bit>
#include <cstddef>

namespace gradus {

namespace {

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void varint(std::string& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7U) to += static_cast<char>((value & 0x7fU) | 0x80U);
  to += static_cast<char>(value);
}

void tag(std::string& to, int field, WireType type) {
  varint(to, static_cast<std::uint64_t>(field) << 3U | static_cast<std::uint64_t>(type));
}

void little_endian(std::string& to, std::uint64_t bits, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i, bits >>= 8U) to += static_cast<char>(bits & 0xffU);
}

}  // namespace

void ProtobufMessage::integer(int field, std::int64_t value) {
  tag(encoded_, field, WireType::varint);
  varint(encoded_, static_cast<std::uint64_t>(value));
}

void ProtobufMessage::fixed32(int field, float value) {
  tag(encoded_, field, WireType::fixed32);
  little_endian(encoded_, std::bit_cast<std::uint32_t>(value), sizeof value);
}

void ProtobufMessage::fixed64(int field, double value) {
  tag(encoded_, field, WireType::fixed64);
  little_endian(encoded_, std::bit_cast<std::uint64_t>(value), sizeof value);
}

void ProtobufMessage::bytes(int field, std::string_view value) {
  tag(encoded_, field, WireType::bytes);
  varint(encoded_, value.size());
  encoded_ += value;
}

void ProtobufMessage::packed(int field, std::span<const std::int64_t> values) {
  std::string numbers;
  for (const std::int64_t value : values) varint(numbers, static_cast<std::uint64_t>(value));
  bytes(field, numbers);
}

}  // namespace gradus
