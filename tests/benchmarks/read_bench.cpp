// Bytes of text a second that become examples, on one thread: files of 128 MB, written beforehand to the folder for
// temporary files and in the system's cache. Run: gradus_bench --benchmark_filter=^read
#include <gradus/core/error.h>
#include <gradus/models/data/read.h>

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <zlib.h>

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <string_view>

using namespace gradus;

namespace {

constexpr std::size_t file_size = 128'000'000;

using Random = std::mt19937_64;

// A file that begins with `head` and goes on with lines; lines repeat after 4 MB, to be written faster.
class LongFile {
 public:
  LongFile(const std::string& end, const std::string& head, const std::function<std::string(Random&)>& line)
      : path_(std::filesystem::temp_directory_path() / fmt::format("gradus-bench-{}{}", ::getpid(), end)) {
    Random random(1);
    std::string lines;
    while (lines.size() < 4'000'000) lines += line(random);
    const gzFile file = gzopen(path_.c_str(), end.ends_with(".gz") ? "wb1" : "wbT");
    bool good = true;
    for (std::string_view text = head; good && written_ < file_size; text = lines) {
      good = gzwrite(file, text.data(), static_cast<unsigned>(text.size())) == static_cast<int>(text.size());
      written_ += text.size();
    }
    if (gzclose(file) != Z_OK || !good) fail<IoError>("{}: cannot be written", path_.string());
  }
  LongFile(const LongFile&) = delete;
  LongFile& operator=(const LongFile&) = delete;
  ~LongFile() { std::filesystem::remove(path_); }

  std::string path() const { return path_.string(); }
  std::int64_t size() const { return static_cast<std::int64_t>(written_); }

 private:
  std::filesystem::path path_;
  std::size_t written_ = 0;  // before it is packed
};

// 39 features of a million, as Criteo's data have.
std::string sparse_line(Random& random, bool ones) {
  std::string line = random() % 4 == 0 ? "1" : "0";
  for (std::uint64_t i = 0; i < 39; ++i) {
    line += fmt::format(" {}", i * 25641 + random() % 25641 + 1);
    line += ones ? ":1" : fmt::format(":{:.4f}", static_cast<double>(random() % 10000) / 10000);
  }
  return line + "\n";
}

std::string table_line(Random& random) {
  std::string line = random() % 4 == 0 ? "1" : "0";
  for (int i = 0; i < 4; ++i) line += fmt::format(",{:.2f}", static_cast<double>(random() % 10000) / 100);
  for (int i = 0; i < 4; ++i) line += fmt::format(",word{}", random() % 1000);
  return line + "\n";
}

void add(const std::string& name, const std::string& end, const std::string& head,
         const std::function<std::string(Random&)>& line, const ReadOptions& options) {
  const auto measure = [=](benchmark::State& state) {
    const LongFile file(end, head, line);
    for (auto _ : state) benchmark::DoNotOptimize(read_rows(file.path(), options).size());
    state.SetBytesProcessed(state.iterations() * file.size());
  };
  benchmark::RegisterBenchmark(("read_" + name).c_str(), measure)->Unit(benchmark::kMillisecond)->UseRealTime();
}

const bool registered = [] {
  const auto ones = [](Random& random) { return sparse_line(random, true); };
  const auto decimals = [](Random& random) { return sparse_line(random, false); };
  add("libsvm/ones", ".libsvm", "", ones, {});
  add("libsvm/decimals", ".libsvm", "", decimals, {});
  add("libsvm/gzip", ".libsvm.gz", "", decimals, {});
  add("csv", ".csv", "y,n1,n2,n3,n4,c1,c2,c3,c4\n", table_line, {.target = "y"});
  return true;
}();

}  // namespace
