// Cubins kept in a folder: found again, rebuilt where they are damaged, and done without where the folder cannot be.
#include "../folder.h"
#include "../refusal.h"
#include "../thorough.h"

#include <gradus/core/device/cuda_compiler.h>
#include <gradus/core/io/file.h>
#include <gradus/core/io/kept.h>

#include <doctest/doctest.h>

#include <cstdlib>

using namespace gradus;

namespace {

const KernelText doubles{"doubles", R"(
extern "C" __global__ void NAME(gr_int64 n, T* x) {
  for (gr_int64 i = gr_first(); i < n; i += gr_step()) x[i] = 2 * x[i];
}
)",
                         "using T = float;"};

std::string text_of(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("cubins: kept, found, and told apart by capability and settings") {
  const Folder folder;
  const std::string cache = folder / "gradus";
  const std::string cubin = kept_cubin(doubles, 90, cache);
  CHECK(cubin.substr(1, 3) == "ELF");
  CHECK(kept_cubin(doubles, 90, cache) == cubin);
  CHECK(kept_cubin(doubles, 80, cache) != cubin);
  KernelText in_doubles = doubles;
  in_doubles.settings = "using T = double;";
  CHECK(kept_cubin(in_doubles, 90, cache) != cubin);
}

TEST_CASE("cubins: a damaged file is rebuilt") {
  const Folder folder;
  const std::string cubin = kept_cubin(doubles, 90, folder / "");
  REQUIRE(folder.files().size() == 1);
  const std::string path = folder / folder.files().front();
  const std::string whole = text_of(path);
  for (const std::size_t kept : {std::size_t{0}, std::size_t{7}, whole.size() / 2, whole.size() - 1}) {
    write_file_atomically(path, std::as_bytes(std::span(whole).first(kept)));
    CHECK(kept_cubin(doubles, 90, folder / "") == cubin);
    CHECK(text_of(path) == whole);
  }
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / (thorough() ? 50 : 8) + 1) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 1);
    write_file_atomically(path, std::as_bytes(std::span(flipped)));
    CHECK(kept_cubin(doubles, 90, folder / "") == cubin);
    CHECK(text_of(path) == whole);
  }
}

TEST_CASE("cubins: a folder that cannot be written is done without") {
  CHECK(kept_cubin(doubles, 90, "/dev/null/gradus") == compile_cubin(doubles, 90));
  CHECK(kept_cubin(doubles, 90, "") == compile_cubin(doubles, 90));
}

TEST_CASE("cubins: where they are kept") {
  ::setenv("GRADUS_CACHE", "/anywhere", 1);
  CHECK(kept_folder() == "/anywhere");
  ::unsetenv("GRADUS_CACHE");
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  CHECK(kept_folder() == "/somewhere/gradus");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "/someone", 1);
  CHECK(kept_folder() == "/someone/.cache/gradus");
  ::unsetenv("HOME");
  CHECK(kept_folder().empty());
}

TEST_CASE("cubins: a text that does not compile is refused with its name and the compiler's line") {
  const KernelText wrong{"wrong", "extern \"C\" __global__ void NAME(int* x) {\n  x[0] = y;\n}\n"};
  const std::string refused = refusal<DeviceError>([&] { (void)compile_cubin(wrong, 90); });
  CHECK(refused.starts_with("kernel wrong does not compile for sm_90 (NVRTC_ERROR_COMPILATION):\nwrong(2): error: "));
  CHECK(refused.find("identifier \"y\" is undefined") != std::string::npos);
}
