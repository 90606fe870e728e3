// Files: .npy, .npz and safetensors there and back, files as NumPy and safetensors write them, what malformed
// ones are refused with, and that a write that fails leaves nothing behind.
#include "folder.h"

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/npy.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/core/tensor/create.h>
#include <gradus/core/tensor/random.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

using namespace gradus;

namespace {

void write_text(const std::string& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

std::string read_text(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `value` as `bytes` little-endian bytes.
std::string little(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string npy(const std::string& header, const std::string& numbers, char version = 1) {
  return std::string("\x93NUMPY") + version + '\0' + little(header.size(), version == 1 ? 2 : 4) + header + numbers;
}

std::string safetensors(const std::string& header, const std::string& numbers) {
  return little(header.size(), 8) + header + numbers;
}

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  return out;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// What IoError says when `read` reads a file of these bytes; its path is replaced by FILE.
template <class Read>
std::string refusal(const std::string& bytes, Read&& read) {
  const Folder folder;
  const std::string path = folder / "file";
  write_text(path, bytes);
  try {
    read(path);
  } catch (const IoError& error) {
    std::string text = error.what();
    const std::size_t at = text.find(path);
    return at == std::string::npos ? "no path in: " + text : text.replace(at, path.size(), "FILE");
  }
  return "no error";
}

std::string refused_npy(const std::string& header, const std::string& numbers = "") {
  return refusal(npy(header, numbers), load_npy);
}
std::string refused_safetensors(const std::string& header, const std::string& numbers = "") {
  return refusal(safetensors(header, numbers), load_safetensors);
}

std::map<std::string, Tensor> samples() {
  return {
      {"a", random_normal({3, 4}, {.seed = 1})}, {"mask", Tensor({1, 0, 1}, boolean)},
      {"layer/c", arange(0, 5, 1, int64)},       {"scalar", Tensor(2.5, float64)},
      {"empty", zeros({0, 3}, int32)},           {"deep", arange(0, 8, 1, int32).reshape({1, 2, 1, 2, 1, 2, 1, 1})}};
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const IoError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("npy there and back") {
  const Folder folder;
  for (const auto& [name, tensor] : samples()) {
    save_npy(folder / "t.npy", tensor);
    CHECK(load_npy(folder / "t.npy") == tensor);
  }
  // As numpy.save writes it, byte for byte.
  save_npy(folder / "t.npy", Tensor({{1, 2}}, int32));
  CHECK(read_text(folder / "t.npy") ==
        npy("{'descr': '<i4', 'fortran_order': False, 'shape': (1, 2), }" + std::string(58, ' ') + "\n",
            bytes_of<std::int32_t>({1, 2})));
  CHECK(folder.files() == std::vector<std::string>{"t.npy"});
}

TEST_CASE("npy of other versions, orders and spellings") {
  const Folder folder;
  const auto loaded = [&](const std::string& bytes) {
    write_text(folder / "t.npy", bytes);
    return load_npy(folder / "t.npy");
  };
  const std::string header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n";
  for (const char version : {'\1', '\2', '\3'})
    CHECK(loaded(npy(header, bytes_of<double>({1, 2}), version)) == Tensor({1, 2}, float64));
  CHECK(loaded(npy("{\"shape\":(2L,3L),\"fortran_order\":True,\"descr\":\"<i4\"}",
                   bytes_of<std::int32_t>({0, 3, 1, 4, 2, 5}))) == arange(0, 6, 1, int32).reshape({2, 3}));
  CHECK(loaded(npy("{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2, 2), }",
                   bytes_of<std::int32_t>({0, 4, 2, 6, 1, 5, 3, 7}))) == arange(0, 8, 1, int32).reshape({2, 2, 2}));
  CHECK(loaded(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 0), }", "")).shape() == Shape{3, 0});
  CHECK(loaded(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", bytes_of<float>({5}))).item() == 5);
}

TEST_CASE("malformed npy files are refused") {
  CHECK(refusal("", load_npy) == "FILE: ends within its first bytes: 8 bytes are needed but 0 are left");
  CHECK(refusal("PK\3\4 something else", load_npy) == "FILE: is not a .npy file");
  CHECK(refusal(npy("", "", 4), load_npy) == "FILE: is of .npy version 4.0; 1, 2 and 3 are read");
  CHECK(refusal(std::string("\x93NUMPY\1\0", 8) + little(500, 2) + "{'descr'", load_npy) ==
        "FILE: ends within its header: 500 bytes are needed but 8 are left");
  CHECK(refusal(std::string("\x93NUMPY\2\0", 8) + little(0xFFFFFFFF, 4), load_npy) ==
        "FILE: says that its header has 4294967295 bytes; more than 1048576 are not believed");
  CHECK(refused_npy("") == "FILE: malformed header: it ends where '{' is expected");
  CHECK(refused_npy("{'descr': '<f4', 'shape': (1,)}") ==
        "FILE: malformed header: one of 'descr', 'fortran_order' and 'shape' is missing");
  CHECK(refused_npy("{'descr': '<f4', 'descr': '<f4'}") == "FILE: malformed header: key 'descr' is not expected");
  CHECK(refused_npy("{'descr' '<f4'}") == "FILE: malformed header: ''' stands where ':' is expected");
  CHECK(refused_npy("{'descr': '<f4}") == "FILE: malformed header: a string does not end");
  CHECK(refused_npy("{'descr': [('a', '<f4')]}") ==
        "FILE: malformed header: a quoted string is expected; structures of several dtypes are not read");
  CHECK(refused_npy("{'fortran_order': 1}") == "FILE: malformed header: 'fortran_order' is neither True nor False");
  const auto header = [](const std::string& dtype, const std::string& shape) {
    return fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", dtype, shape);
  };
  CHECK(refused_npy(header("<f4", "(-1,)")) == "FILE: malformed header: 'shape' holds something that is not a size");
  CHECK(refused_npy(header("<f4", "(99999999999999999999,)")) ==
        "FILE: malformed header: 'shape' holds something that is not a size");
  CHECK(refused_npy(header("<f4", "(4611686018427387904, 4611686018427387904)")) ==
        "FILE: shape [4611686018427387904, 4611686018427387904] holds more elements than fit in 64 bits");
  CHECK(refused_npy(header("<f4", "(1,1,1,1,1,1,1,1,1)")) ==
        "FILE: shape [1, 1, 1, 1, 1, 1, 1, 1, 1] has 9 dimensions; at most 8 are supported");
  CHECK(refused_npy(header("<f4", "(1,)") + "x") == "FILE: malformed header: something follows the dict");
  CHECK(refused_npy(header("<f2", "(1,)")) == "FILE: dtype '<f2' is not one of <f4, <f8, <i4, <i8, |b1");
  CHECK(refused_npy(header(">f4", "(1,)")) == "FILE: dtype '>f4' is big-endian; only little-endian files are read");
  // A terabyte that is not there is not asked for.
  CHECK(refused_npy(header("<f4", "(250000000000,)"), "1234") ==
        "FILE: float32 [250000000000] takes 1000000000000 bytes but 4 follow the header");
  CHECK(refused_npy(header("<f4", "(1,)"), "12345") == "FILE: float32 [1] takes 4 bytes but 5 follow the header");
  CHECK(refused_npy(header("|b1", "(3,)"), std::string("\0\1\2", 3)) == "FILE: bool number 2 is 2; it must be 0 or 1");
}

TEST_CASE("npz there and back") {
  const Folder folder;
  save_npz(folder / "t.npz", samples());
  CHECK(load_npz(folder / "t.npz") == samples());
  const std::string bytes = read_text(folder / "t.npz");
  save_npz(folder / "t.npz", samples());
  CHECK(read_text(folder / "t.npz") == bytes);
  save_npz(folder / "empty.npz", {});
  CHECK(load_npz(folder / "empty.npz").empty());
}

TEST_CASE("npz compressed by numpy") {
  // numpy.savez_compressed(a=numpy.zeros((4, 4), numpy.float32), b=numpy.arange(3))
  const std::string bytes = from_hex(
      "504b03042d0000000800000021002b37b66affffffffffffffff05001400612e6e707901001000c000000000000000490000"
      "00000000009bec17ea1b10c9c850c650ad9e925a9c5ca46ea5a06e9366a2aea3a09e965f54529498179f5f94920a12774bcc"
      "294e058a17672416a402f91a263a0a269a3a0ab50a64032e060a0100504b03042d000000080000002100f74012eaffffffff"
      "ffffffff05001400622e6e70790100100098000000000000004c000000000000009bec17ea1b10c9c850c650ad9e925a9c5c"
      "a46ea5a06e9369a1aea3a09e965f54529498179f5f94920a12774bcc294e058a17672416a402f91ac63a9a3a0ab50a14002e"
      "06286084d24c501a00504b01022d032d0000000800000021002b37b66a49000000c000000005000000000000000000000080"
      "0100000000612e6e7079504b01022d032d000000080000002100f74012ea4c00000098000000050000000000000000000000"
      "800180000000622e6e7079504b0506000000000200020066000000030100000000");
  const Folder folder;
  write_text(folder / "t.npz", bytes);
  const auto tensors = load_npz(folder / "t.npz");
  REQUIRE(tensors.size() == 2);
  CHECK(tensors.at("a") == zeros({4, 4}));
  CHECK(tensors.at("b") == arange(0, 3, 1, int64));
}

TEST_CASE("malformed npz files are refused") {
  const Folder folder;
  CHECK(refusal("not a zip", load_npz) == "FILE: Not a zip archive");
  save_npz(folder / "t.npz", {{"a", arange(0, 100)}});
  const std::string bytes = read_text(folder / "t.npz");
  CHECK(refusal(bytes.substr(0, bytes.size() / 2), load_npz) == "FILE: Not a zip archive");
  std::string flipped = bytes;
  flipped[bytes.size() / 2] ^= 1;
  CHECK(refusal(flipped, load_npz) == "FILE(a.npy): CRC error");
  std::string renamed = bytes;
  for (std::size_t at = 0; (at = renamed.find("a.npy", at)) != std::string::npos;) renamed.replace(at, 5, "a.txt");
  CHECK(refusal(renamed, load_npz) == "FILE: 'a.txt' in it is not a .npy");
  CHECK(message_of([&] { load_npz(folder / "none.npz"); }) ==
        (folder / "none.npz") + ": cannot be opened: No such file or directory");
}

TEST_CASE("safetensors there and back") {
  const Folder folder;
  const SafeTensors contents{samples(), {{"step", "7"}, {"note", "\"quoted\" \u00fc"}}};
  save_safetensors(folder / "t.safetensors", contents);
  const SafeTensors loaded = load_safetensors(folder / "t.safetensors");
  CHECK(loaded.tensors == contents.tensors);
  CHECK(loaded.metadata == contents.metadata);
  const std::string bytes = read_text(folder / "t.safetensors");
  save_safetensors(folder / "t.safetensors", contents);
  CHECK(read_text(folder / "t.safetensors") == bytes);
  save_safetensors(folder / "t.safetensors", {});
  CHECK(load_safetensors(folder / "t.safetensors").tensors.empty());
  CHECK(folder.files() == std::vector<std::string>{"t.safetensors"});
}

TEST_CASE("the bytes of a safetensors file") {
  const Folder folder;
  // Eight-byte numbers first, so that each tensor is aligned; the header is filled up with blanks.
  save_safetensors(folder / "t", {{{"b", Tensor({1, 0}, boolean)}, {"d", Tensor({2}, float64)}}, {{"k", "v"}}});
  std::string header = R"({"__metadata__":{"k":"v"},"b":{"data_offsets":[8,10],"dtype":"BOOL","shape":[2]},)"
                       R"("d":{"data_offsets":[0,8],"dtype":"F64","shape":[1]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  CHECK(read_text(folder / "t") == safetensors(header, bytes_of<double>({2}) + std::string("\1\0", 2)));
}

TEST_CASE("malformed safetensors files are refused") {
  const auto entry = [](std::string_view name, std::string_view dtype, std::string_view shape, int begin, int end) {
    return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":[{},{}]}})", name, dtype, shape, begin, end);
  };
  const std::string four = "1234";
  const std::string eight = "12345678";
  CHECK(refusal("1234", load_safetensors) == "FILE: has 4 bytes; a safetensors file has at least 8");
  CHECK(refusal(little(100'000'001, 8), load_safetensors) ==
        "FILE: says that its header has 100000001 bytes; at most 100000000 are allowed");
  CHECK(refusal(little(50, 8) + "{}", load_safetensors) == "FILE: says that its header has 50 bytes but 2 are left");
  CHECK(refused_safetensors(" {}") == "FILE: the header does not begin with '{'");
  CHECK(refused_safetensors("") == "FILE: the header does not begin with '{'");
  CHECK(refused_safetensors("{\"a\":") == "FILE: the header is not JSON");
  CHECK(refused_safetensors("{\"\xff\":1}") == "FILE: the header is not JSON");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("a", "F32", "[1]", 0, 4) + "}", four) ==
        "FILE: the header names 'a' twice");
  CHECK(refused_safetensors(R"({"__metadata__":{"k":"v","k":"w"}})") == "FILE: the header names 'k' twice");
  CHECK(refused_safetensors(R"({"__metadata__":{"k":1}})") == "FILE: __metadata__: 'k' is 1; it must be a string");
  CHECK(refused_safetensors(R"({"__metadata__":[]})") == "FILE: __metadata__ is not an object of strings");
  CHECK(refused_safetensors(R"({"a":{"dtype":"F32","shape":[1]}})", four) ==
        "FILE: tensor 'a' is not described by 'dtype', 'shape' and 'data_offsets'");
  CHECK(refused_safetensors("{" + entry("a", "BF16", "[2]", 0, 4) + "}", four) ==
        "FILE: tensor 'a': dtype \"BF16\" is not one of F32, F64, I32, I64, BOOL");
  for (const char* shape : {"[-1]", "[1.0]", "1", "[\"1\"]", "[18446744073709551615]"})
    CHECK(refused_safetensors("{" + entry("a", "F32", shape, 0, 4) + "}", four) ==
          "FILE: tensor 'a': 'shape' is not a list of sizes");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[4611686018427387904,4611686018427387904]", 0, 4) + "}", four) ==
        "FILE: tensor 'a': shape [4611686018427387904, 4611686018427387904] holds more elements than fit in 64 bits");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[1]", 4, 0) + "}", four) ==
        "FILE: tensor 'a': data_offsets [4,0] are not a begin and an end");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[2]", 0, 4) + "}", four) ==
        "FILE: tensor 'a': float32 [2] takes 8 bytes but data_offsets [0, 4] hold 4");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[2]", 0, 8) + "}", four) ==
        "FILE: tensor 'a' ends at byte 8 but the file holds 4 bytes of numbers");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[1]", 0, 4) + "," + entry("b", "F32", "[1]", 2, 6) + "}", eight) ==
        "FILE: tensors 'a' and 'b' overlap");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[1]", 4, 8) + "}", eight) ==
        "FILE: bytes 0 to 4, before tensor 'a', belong to no tensor");
  CHECK(refused_safetensors("{" + entry("a", "F32", "[1]", 0, 4) + "}", eight) ==
        "FILE: bytes 4 to 8, at the end, belong to no tensor");
  CHECK(refused_safetensors("{" + entry("a", "BOOL", "[4]", 0, 4) + "}", four) ==
        "FILE: tensor 'a': bool number 0 is 49; it must be 0 or 1");
}

TEST_CASE("what is not written") {
  const Folder folder;
  const Tensor csr = eye(2).to_csr();
  const std::string path = folder / "t";
  CHECK_THROWS_WITH_AS(
      save_npy(path, csr),
      (path + ": the tensor is float32 csr [2, 2]; only dense ones are written, so take to_dense() first").c_str(),
      TypeError);
  CHECK_THROWS_WITH_AS(
      save_npz(path, {{"a", csr}}),
      (path + "(a): the tensor is float32 csr [2, 2]; only dense ones are written, so take to_dense() first").c_str(),
      TypeError);
  CHECK_THROWS_WITH_AS(
      save_safetensors(path, {{{"a", csr}}, {}}),
      (path + ": 'a' is float32 csr [2, 2]; only dense tensors are written, so take to_dense() first").c_str(),
      TypeError);
  CHECK_THROWS_WITH_AS(save_safetensors(path, {{{"__metadata__", eye(2)}}, {}}),
                       (path + ": no tensor may be named __metadata__").c_str(), ValueError);
  CHECK_THROWS_AS(save_safetensors(path, {{{"\xff", eye(2)}}, {}}), ValueError);
  CHECK_THROWS_WITH_AS(save_safetensors(path, {}, {{"a", {eye(2), eye(3)}}}),
                       (path + ": the tensors of 'a' are not of one type").c_str(), TypeError);
  CHECK(folder.files().empty());
}

TEST_CASE("tensors that lie apart are written as one") {
  const Folder folder;
  const Tensor a({{1, 2}, {3, 4}}), b({{5, 6}, {7, 8}});
  save_safetensors(folder / "t", {{{"b", eye(2)}}, {{"key", "text"}}}, {{"a", {a, b}}, {"c", {Tensor(1.5)}}});
  const SafeTensors file = load_safetensors(folder / "t");
  CHECK(file.tensors.at("a") == Tensor({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}));
  CHECK(file.tensors.at("b") == eye(2));
  CHECK(file.tensors.at("c") == Tensor({1.5}));
  CHECK(file.metadata.at("key") == "text");
}

TEST_CASE("files that cannot be opened or written") {
  const Folder folder;
  write_text(folder / "file", "x");
  CHECK(message_of([&] { load_npy(folder / "none"); }) ==
        (folder / "none") + ": cannot be opened: No such file or directory");
  CHECK(message_of([&] { load_safetensors(folder / ""); }) ==
        (folder / "") + ": cannot be read: it is not a regular file");
  CHECK(message_of([&] { save_npy(folder / "none/t.npy", eye(2)); }) ==
        (folder / "none/t.npy") + ": cannot be written: No such file or directory");
  CHECK(message_of([&] { save_npz(folder / "file/t.npz", {}); }) ==
        (folder / "file/t.npz") + ": cannot be written: Not a directory");
  CHECK(message_of([&] { save_npy("/dev/null", eye(2)); }) == "/dev/null: cannot be written: it is not a regular file");
  if (::geteuid() != 0) {
    std::filesystem::create_directory(folder / "locked");
    ::chmod((folder / "locked").c_str(), 0555);
    CHECK(message_of([&] { save_npy(folder / "locked/t.npy", eye(2)); }) ==
          (folder / "locked/t.npy") + ": cannot be written: Permission denied");
  } else {
    MESSAGE("skipped: a folder without write permission, which does not stop root");
  }
  CHECK(read_text(folder / "file") == "x");
}

TEST_CASE("a write that fails half way leaves the old file and nothing else") {
  const Folder folder;
  const std::string path = folder / "t";
  write_text(path, "old");
  // A limit on the size of files stands in for a full disk.
  struct rlimit before {};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 4096;
  ::setrlimit(RLIMIT_FSIZE, &small);
  const Tensor large = zeros({10'000});
  std::vector<std::string> messages;
  for (const std::function<void()>& save :
       {std::function<void()>([&] { save_npy(path, large); }), std::function<void()>([&] {
          save_npz(path, {{"a", large}});
        }),
        std::function<void()>([&] {
          save_safetensors(path, {{{"a", large}}, {}});
        })})
    messages.push_back(message_of(save));
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  for (const std::string& message : messages) CHECK(message == path + ": cannot be written: File too large");

  CHECK_THROWS_WITH_AS(write_file_atomically(path,
                                             [](FileWriter& file) {
                                               file.write("new", 3);
                                               fail<ValueError>("on the way");
                                             }),
                       "on the way", ValueError);
  CHECK(read_text(path) == "old");
  CHECK(folder.files() == std::vector<std::string>{"t"});
}

TEST_CASE("a written file keeps its permissions, and a link stays a link") {
  const Folder folder;
  write_text(folder / "t", "old");
  ::chmod((folder / "t").c_str(), 0640);
  std::filesystem::create_symlink("t", folder / "link");
  write_text(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_text(folder / "t") == "new");
  struct stat status {};
  ::stat((folder / "t").c_str(), &status);
  CHECK((status.st_mode & 0777) == 0640);
}
