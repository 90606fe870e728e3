#include <gradus/models/formats/tensorboard.h>

#include <gradus/core/error.h>
#include <gradus/models/formats/detail/protobuf.h>
#include <gradus/models/formats/utf8.h>

#include <fmt/format.h>

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <system_error>

namespace gradus {

namespace {

// Numbers of the fields, by message (event.proto, summary.proto).
namespace event_proto {
constexpr int wall_time = 1, step = 2, file_version = 3, summary = 5;
}
namespace summary_proto {
constexpr int value = 1;
constexpr int value_tag = 1, value_simple_value = 2;
}  // namespace summary_proto

constexpr std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t reflected_polynomial = 0x82f63b78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? reflected_polynomial : 0);
    table[byte] = crc;
  }
  return table;
}

std::string little_endian(std::uint64_t number, std::size_t bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes; ++i, number >>= 8U) out += static_cast<char>(number & 0xffU);
  return out;
}

// A checksum of bytes that hold checksums themselves would be weak, so it is stored turned and shifted.
std::string masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return little_endian(((crc >> 15U) | (crc << 17U)) + 0xa282ead8U, 4);
}

std::string record(const ProtobufMessage& event) {
  const std::string length = little_endian(event.encoded().size(), 8);
  return length + masked_crc(length) + event.encoded() + masked_crc(event.encoded());
}

ProtobufMessage event_now() {
  const std::chrono::duration<double> time = std::chrono::system_clock::now().time_since_epoch();
  ProtobufMessage event;
  event.fixed64(event_proto::wall_time, time.count());
  return event;
}

// TensorBoard takes files whose name holds "tfevents", and reads them in the order of their names.
std::string new_path(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail<IoError>("{}: the folder cannot be made: {}", folder, error.message());
  static std::atomic<unsigned> count{0};
  std::array<char, 256> host{"localhost"};
  ::gethostname(host.data(), host.size() - 1);
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  return fmt::format("{}/events.out.tfevents.{:010}.{}.{}.{}", folder, seconds, host.data(), ::getpid(), count++);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<std::uint32_t, 256> table = crc_table();
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) crc = table[(crc ^ static_cast<unsigned char>(byte)) & 0xffU] ^ (crc >> 8U);
  return ~crc;
}

TensorBoardLog::TensorBoardLog(const std::string& folder) : file_(new_path(folder), AppendFile::Open::only_new) {
  ProtobufMessage event = event_now();
  event.bytes(event_proto::file_version, "brain.Event:2");
  file_.write(record(event));
}

void TensorBoardLog::write(std::int64_t step, std::span<const Scalar> scalars) {
  ProtobufMessage summary;
  for (const Scalar& scalar : scalars) {
    ProtobufMessage value;
    value.bytes(summary_proto::value_tag, valid_utf8(scalar.name));
    value.fixed32(summary_proto::value_simple_value, static_cast<float>(scalar.value));
    summary.message(summary_proto::value, value);
  }
  ProtobufMessage event = event_now();
  event.integer(event_proto::step, step);
  event.message(event_proto::summary, summary);
  file_.write(record(event));
}

}  // namespace gradus
