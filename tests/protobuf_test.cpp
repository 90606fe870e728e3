// The wire format: the bytes that its specification gives as examples, and the edges of each kind of number.
#include <gradus/models/formats/detail/protobuf.h>
#include <gradus/models/formats/utf8.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>

namespace gradus {
namespace {

std::string hex(const ProtobufMessage& message) {
  std::string out;
  for (const char byte : message.encoded())
    out += fmt::format("{}{:02x}", out.empty() ? "" : " ", static_cast<unsigned char>(byte));
  return out;
}

TEST_CASE("messages are encoded as the examples of the specification") {
  ProtobufMessage test1;
  test1.integer(1, 150);
  CHECK(hex(test1) == "08 96 01");
  ProtobufMessage test2;
  test2.bytes(2, "testing");
  CHECK(hex(test2) == "12 07 74 65 73 74 69 6e 67");
  ProtobufMessage test3;
  test3.message(3, test1);
  CHECK(hex(test3) == "1a 03 08 96 01");
  ProtobufMessage test5;
  test5.packed(6, std::array<std::int64_t, 3>{3, 270, 86942});
  CHECK(hex(test5) == "32 06 03 8e 02 9e a7 05");
  ProtobufMessage negative;
  negative.integer(1, -2);
  CHECK(hex(negative) == "08 fe ff ff ff ff ff ff ff ff 01");
}

TEST_CASE("fields have numbers of several bytes, and numbers their limits") {
  ProtobufMessage far;
  far.integer(16, 0);
  CHECK(hex(far) == "80 01 00");
  ProtobufMessage largest;
  largest.integer(1, std::numeric_limits<std::int64_t>::max());
  CHECK(hex(largest) == "08 ff ff ff ff ff ff ff ff 7f");
  ProtobufMessage edges;
  edges.integer(1, 127);
  edges.integer(1, 128);
  CHECK(hex(edges) == "08 7f 08 80 01");
  ProtobufMessage fixed;
  fixed.fixed32(1, 1.0F);
  fixed.fixed64(2, -2.0);
  CHECK(hex(fixed) == "0d 00 00 80 3f 11 00 00 00 00 00 00 00 c0");
  ProtobufMessage empty;
  empty.bytes(1, "");
  empty.message(2, ProtobufMessage());
  CHECK(hex(empty) == "0a 00 12 00");
}

TEST_CASE("text that is not UTF-8 is mended, byte by byte") {
  const std::string mark = "\xef\xbf\xbd";
  CHECK(valid_utf8("") == "");
  CHECK(valid_utf8("plain & \x7f\n") == "plain & \x7f\n");
  CHECK(valid_utf8("é € 𝄞 \xf4\x8f\xbf\xbf") == "é € 𝄞 \xf4\x8f\xbf\xbf");
  CHECK(valid_utf8("a\xff"
                   "b") == "a" + mark + "b");
  CHECK(valid_utf8("\xc0\x80") == mark + mark);             // overlong
  CHECK(valid_utf8("\xe0\x9f\xbf") == mark + mark + mark);  // overlong
  CHECK(valid_utf8("\xed\xa0\x80") == mark + mark + mark);  // a surrogate
  CHECK(valid_utf8("\xf4\x90\x80\x80") == mark + mark + mark + mark);
  CHECK(valid_utf8("\xf0\x8f\xbf\xbf") == mark + mark + mark + mark);
  CHECK(valid_utf8("\xe2\x82") == mark + mark);  // cut short
  CHECK(valid_utf8("\xe2\x82"
                   "a") == mark + mark + "a");
  CHECK(valid_utf8(std::string("\0x", 2)) == std::string("\0x", 2));
}

}  // namespace
}  // namespace gradus
