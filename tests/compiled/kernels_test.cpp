// Kernels' compiler and the folder that keeps what it makes: whatever these are, a program runs to its end, and learns
// the same to the bit.
#include "../folder.h"

#include <gradus/core/io/file.h>

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

using namespace gradus;

namespace {

struct Output {
  std::string hash, state;
};

// What the probe prints last, with these words before it in the shell.
Output probe(const std::string& environment, const std::string& what = "train") {
  const std::string command = fmt::format("{} {} {} 2>&1", environment, GRADUS_KERNEL_PROBE, what);
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 256> buffer{};
  std::string line, last;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) last = buffer.data();
  INFO(command, ": ", last);
  REQUIRE(pclose(pipe) == 0);
  const std::size_t space = last.find(' ');
  REQUIRE(space == 16);
  return {last.substr(0, space), last.substr(space + 1, last.size() - space - 2)};
}

const std::string& expected() {
  static const std::string hash = probe("GRADUS_COMPILE=off").hash;
  return hash;
}

std::string script(const Folder& folder, const std::string& body) {
  const std::string path = folder / "compiler";
  std::ofstream(path) << "#!/bin/sh\n" << body << "\n";
  chmod(path.c_str(), 0700);
  return path;
}

}  // namespace

TEST_CASE("kernels: compiled, and found on disk by the next program") {
  const Folder folder;
  const std::string kept = fmt::format("GRADUS_COMPILE=now GRADUS_CACHE={}", folder / "kept");
  const Output first = probe(kept), second = probe(kept);
  CHECK(first.state == "compiled");
  CHECK(first.hash == expected());
  CHECK(second.state == "compiled, from disk");
  CHECK(second.hash == expected());
  struct stat made {};
  REQUIRE(stat((folder / "kept").c_str(), &made) == 0);
  CHECK((made.st_mode & 0777) == 0700);
}

TEST_CASE("kernels: damaged files are made again") {
  const Folder folder;
  const std::string kept = folder / "kept";
  const std::string environment = fmt::format("GRADUS_COMPILE=now GRADUS_CACHE={}", kept);
  probe(environment);
  for (const int damage : {0, 1, 2}) {
    for (const auto& entry : std::filesystem::directory_iterator(kept)) {
      const std::string path = entry.path();
      std::vector<std::byte> bytes = read_file(path);
      if (damage == 0) bytes.resize(bytes.size() / 2);
      if (damage == 1) bytes[bytes.size() - bytes.size() / 3] ^= std::byte{1};
      if (damage == 2) bytes.clear();
      write_file_atomically(path, bytes);
    }
    const Output again = probe(environment);
    CHECK(again.state == "compiled");
    CHECK(again.hash == expected());
  }
}

TEST_CASE("kernels: a folder that is not the user's alone is not used") {
  const Folder folder;
  const std::string open = folder / "open", link = folder / "link", own = folder / "own";
  for (const std::string& path : {open, own}) REQUIRE(mkdir(path.c_str(), 0700) == 0);
  REQUIRE(chmod(open.c_str(), 0777) == 0);
  std::filesystem::create_directory_symlink(own, link);
  for (const std::string& path : {open, link, std::string("/dev/null/gradus"), std::string()}) {
    CAPTURE(path);
    const Output found = probe(fmt::format("GRADUS_COMPILE=now GRADUS_CACHE={}", path));
    CHECK(found.state == "compiled");
    CHECK(found.hash == expected());
  }
  CHECK(std::filesystem::is_empty(open));
  CHECK(std::filesystem::is_empty(own));
}

TEST_CASE("kernels: without a compiler, and with one that fails, dies or writes rubbish") {
  const Folder folder;
  const std::string version = "test \"$1\" = --version && exit 0\n";
  for (const std::string& compiler :
       {std::string("/nonexistent/compiler"), std::string("/bin/false"), script(folder, version + "kill -9 $$"),
        script(folder, version + "while test \"$1\" != -o; do shift; done; echo rubbish > \"$2\"")}) {
    CAPTURE(compiler);
    const Output found = probe(fmt::format("GRADUS_COMPILE=now GRADUS_CACHE= GRADUS_CXX={}", compiler));
    CHECK(found.state == "step by step: not compiled");
    CHECK(found.hash == expected());
  }
}

TEST_CASE("kernels: a program does not wait for a compiler that hangs, and leaves none behind") {
  const Folder folder;
  const std::string pid_file = folder / "pid";
  const std::string compiler = script(folder, fmt::format("echo $$ > {}; sleep 1000", pid_file));
  const auto begin = std::chrono::steady_clock::now();
  const Output found = probe(fmt::format("GRADUS_CACHE= GRADUS_CXX={}", compiler));
  CHECK(found.hash == expected());
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(500));
  int pid = 0;
  std::ifstream(pid_file) >> pid;
  REQUIRE(pid > 0);
  CHECK(kill(pid, 0) != 0);
}

TEST_CASE("kernels: two programs at once") {
  const Folder folder;
  const std::string environment = fmt::format("GRADUS_COMPILE=now GRADUS_CACHE={}", folder / "kept");
  Output other;
  std::thread thread([&] { other = probe(environment); });
  const Output mine = probe(environment);
  thread.join();
  CHECK(mine.hash == expected());
  CHECK(other.hash == expected());
}

TEST_CASE("kernels: in the background, swapped in the middle of a training, and in a process forked off meanwhile") {
  const Folder folder;
  for (const char* what : {"train", "fork"})
    CHECK(probe(fmt::format("GRADUS_CACHE={}", folder / "kept"), what).hash == expected());
}

TEST_CASE("kernels: GRADUS_COMPILE is one of three words") {
  FILE* pipe = popen(fmt::format("GRADUS_COMPILE=maybe {} 2>&1", GRADUS_KERNEL_PROBE).c_str(), "r");
  std::array<char, 256> line{};
  REQUIRE(std::fgets(line.data(), line.size(), pipe) != nullptr);
  CHECK(std::string(line.data()) == "GRADUS_COMPILE is 'maybe'; off, background or now is expected\n");
  CHECK(WEXITSTATUS(pclose(pipe)) == 1);
}

TEST_CASE("kernels: what killed programs have left is swept") {
  const Folder folder;
  const std::string kept = folder / "kept", left = kept + "/making.000000", fresh = kept + "/making.111111";
  REQUIRE(mkdir(kept.c_str(), 0700) == 0);
  for (const std::string& path : {left, fresh}) REQUIRE(mkdir(path.c_str(), 0700) == 0);
  std::ofstream(left + "/kernel.cpp") << "void f();";
  std::filesystem::last_write_time(left, std::filesystem::file_time_type::clock::now() - std::chrono::hours(25));
  CHECK(probe(fmt::format("GRADUS_COMPILE=now GRADUS_CACHE={}", kept)).hash == expected());
  CHECK_FALSE(std::filesystem::exists(left));
  CHECK(std::filesystem::exists(fresh));
}
