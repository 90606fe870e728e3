// Training from a cache that is not read whole: memory, what is learnt, the same bits again, and what is refused.
#include "../sanitized.h"
#include "../thorough.h"
#include "clicks.h"
#include "interrupted.h"
#include "ratings_text.h"

#include <gradus/models/data/data_cache.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <sstream>

using namespace gradus;

namespace {

// Rows of 32 numbers in 1000 columns and what a linear model can learn of them, as many as are wanted.
class ManyNumbers final : public Reader {
 public:
  explicit ManyNumbers(std::int64_t rows) : left_(rows) {}
  std::string place() const override { return "numbers"; }

 private:
  ReadRows read(std::int64_t count) override {
    const std::int64_t rows = std::min(count, left_);
    left_ -= rows;
    std::vector<std::int64_t> start{0}, column;
    std::vector<float> value, y;
    for (std::int64_t r = 0; r < rows; ++r) {
      float sum = 0;
      for (int j = 0; j < 32; ++j) {
        column.push_back(j * 31 + static_cast<std::int64_t>(random_() % 31));
        value.push_back(static_cast<float>(random_() % 1000) / 1000);
        sum += value.back() * static_cast<float>(std::sin(column.back()));
      }
      start.push_back(std::ssize(column));
      y.push_back(sum);
    }
    ReadRows out;
    if (rows == 0) return out;
    out.x = Tensor::csr(rows, 1000, start, column, value);
    out.y = Tensor::from(y, {rows, 1});
    return out;
  }

  std::int64_t left_;
  std::mt19937 random_{1};
};

// 20 blocks; with a numeric column that --normalize changes.
void write_cache(const Folder& folder, const std::string& cache = "ratings.cache", std::uint64_t seed = 1) {
  std::istringstream lines(
      ratings_text({.count = 40000, .users = 50, .items = 80, .form = RatingsForm::csv, .seed = seed}));
  std::string text = "age,", line;
  for (int i = 0; std::getline(lines, line); ++i)
    text += i == 0 ? line + "\n" : fmt::format("{},{}\n", 20 + i * 7 % 60, line);
  write_text(folder / "ratings.csv", text);
  const Finished done =
      run_fm(folder, {"convert", "ratings.csv", "--target", "rating", "--out", cache, "--block-rows", "2000"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
}

const Words streamed{"train",  "ratings.cache", "--model",    "m", "--stream-above", "0", "--normalize",
                     "--rate", "0.01",          "--patience", "0", "--epochs",       "8", "--checkpoint-every",
                     "1"};

nlohmann::json trained(const Folder& folder, const Words& words) {
  const Finished done = run_fm(folder, with(words, {"--json"}));
  REQUIRE_MESSAGE(done.code == 0, done.err);
  return nlohmann::json::parse(done.out);
}

}  // namespace

TEST_CASE("memory is that of a few blocks, however many there are" * doctest::skip(!thorough())) {
  const Folder folder;
  constexpr std::int64_t block_rows = 8192;  // 2.2 MB
  // By a process of its own: what this one has in memory when it starts another counts as that one's peak.
  const pid_t writer = ::fork();
  if (writer == 0) {
    ManyNumbers source(40 * block_rows);
    write_data_cache(folder / "many.cache", source, {.block_rows = block_rows});
    ::_exit(0);
  }
  REQUIRE(::waitpid(writer, nullptr, 0) == writer);
  const Words train{"train", "many.cache", "--epochs", "1", "--kind", "linear", "--threads", "2", "--normalize"};
  const Finished done = run_fm(folder, with(train, {"--refit", "--stream-above", "80", "--valid", "many.cache"}));
  REQUIRE_MESSAGE(done.code == 0, done.err);
  CHECK(done.out.find("\nstreamed: 40 blocks of 83 MiB in all, more than --stream-above 80\n") != std::string::npos);
  MESSAGE("peak memory ", done.peak_kib / 1024, " MiB, of data of 83 MiB");
  if (sanitized) return;
  CHECK(done.peak_kib < 72 * 1024);  // 25 MiB on one thread; on two what the allocator keeps depends on their pace
  CHECK(run_fm(folder, train).peak_kib > 83 * 1024);
}

TEST_CASE("what is learnt by blocks is what is learnt of the whole, and the same bits again") {
  const Folder folder;
  write_cache(folder);
  const nlohmann::json by_blocks = trained(folder, with(streamed, {"--threads", "1"}));
  const std::string model = text_of(folder / "m");
  CHECK(by_blocks["streamed"] == true);
  CHECK(by_blocks["train_examples"] == 36000);
  CHECK(by_blocks["validation_examples"] == 4000);
  trained(folder, with(streamed, {"--threads", "2"}));
  CHECK(text_of(folder / "m") == model);
  trained(folder, with(streamed, {"--threads", "3"}));
  CHECK(text_of(folder / "m") == model);

  Words whole = streamed;
  *std::find(whole.begin(), whole.end(), "0") = "1024";
  const nlohmann::json in_memory = trained(folder, whole);
  CHECK(in_memory["streamed"] == false);
  const auto loss = [](const nlohmann::json& run) { return run["metrics"]["validation mse"].get<double>(); };
  CHECK(loss(by_blocks) == doctest::Approx(loss(in_memory)).epsilon(0.05));
  CHECK(loss(by_blocks) < 0.6);
  // A model is no less for having been made from blocks: its file, the table's and the cache's rows fit together.
  trained(folder, streamed);
  CHECK(run_fm(folder, {"predict", "m", "ratings.csv"}).out == run_fm(folder, {"predict", "m", "ratings.cache"}).out);
  CHECK(nlohmann::json::parse(run_fm(folder, {"evaluate", "m", "ratings.csv", "--json"}).out)["mse"] ==
        nlohmann::json::parse(run_fm(folder, {"evaluate", "m", "ratings.cache", "--json"}).out)["mse"]);
  CHECK(run_fm(folder, with(streamed, {"--report", "page.html"})).code == 0);
  CHECK(text_of(folder / "page.html").find("<html") != std::string::npos);

  // One block is no other than the data in memory.
  REQUIRE(run_fm(folder, {"convert", "ratings.csv", "--target", "rating", "--out", "one.cache"}).code == 0);
  const auto predictions = [&](const std::string& above) {
    trained(folder, {"train", "one.cache", "--model", "m", "--stream-above", above, "--epochs", "2", "--normalize"});
    return run_fm(folder, {"predict", "m", "ratings.csv"}).out;
  };
  CHECK(predictions("0") == predictions("1"));
}

TEST_CASE("a training by blocks that is killed goes on with the same bits") {
  const Folder folder;
  write_cache(folder);
  check_interrupted(folder, streamed, 12, {SIGKILL, SIGINT});  // at once, and after the batch at hand
}

TEST_CASE("a state of streamed data is of those data") {
  const Folder folder;
  write_cache(folder);
  write_cache(folder, "others.cache", 2);
  Words slow = streamed;
  *std::find(slow.begin(), slow.end(), "8") = "100000";
  Running program(folder, slow);
  REQUIRE(program.prints("\n    2 "));
  program.send(SIGINT);
  REQUIRE(program.wait().code == 1);
  Words other = with(slow, {"--resume"});
  other[1] = "others.cache";
  CHECK(run_fm(folder, other).err == "fm: m.checkpoint: is of a training on other data\n");
  Words whole = with(slow, {"--resume"});
  *std::find(whole.begin(), whole.end(), "0") = "1024";
  CHECK(run_fm(folder, whole).err ==
        "fm: m.checkpoint: is of a training with other options: --stream-above is 1024 but was 0\n");
}

TEST_CASE("classes, weights, ranges and a file to validate with are found block by block") {
  const Folder folder;
  write_text(folder / "clicks.csv", clicks);
  REQUIRE(run_fm(folder, {"convert", "clicks.csv", "--out", "c.cache", "--block-rows", "3"}).code == 0);
  const Words train{"train", "c.cache", "--model", "m", "--stream-above", "0", "--epochs", "5", "--valid", "c.cache"};
  const nlohmann::json run = trained(folder, train);
  CHECK(run["task"] == "binary");
  CHECK(run["validation_examples"] == 10);
  const auto found = nlohmann::json::parse(run_fm(folder, {"evaluate", "m", "clicks.csv", "--json"}).out);
  CHECK(found["log loss"].get<double>() ==
        doctest::Approx(run["metrics"]["validation log loss"].get<double>()).epsilon(1e-6));
  // From a file in memory beside a cache that is not, and the other way round.
  Words text = train;
  text.back() = "clicks.csv";
  CHECK(trained(folder, text)["metrics"]["validation log loss"].get<double>() ==
        doctest::Approx(found["log loss"].get<double>()).epsilon(1e-6));
  text[1] = "clicks.csv";
  text.back() = "c.cache";
  CHECK(trained(folder, text)["validation_examples"] == 10);

  // A 2 in the fourth block.
  write_text(folder / "bad.csv", clicks.substr(0, clicks.size() - 2) + "2\n");
  REQUIRE(run_fm(folder, {"convert", "bad.csv", "--out", "bad.cache", "--block-rows", "3"}).code == 0);
  CHECK(said(folder, {"train", "bad.cache", "--task", "binary", "--stream-above", "0"}) ==
        "1: fm: bad.cache: the target of row 10 is 2; 0 and 1, or -1 and 1, are expected\n");
  CHECK(trained(folder, {"train", "bad.cache", "--stream-above", "0"})["task"] == "regression");

  // Weights and clipping: the numbers of data in memory in one batch, which has no order.
  write_text(folder / "w.csv", "x,w,y\n1,1,0\n1,3,4\n2,2,1\n2,0,9\n3,1,2\n4,2,7\n");
  REQUIRE(
      run_fm(folder, {"convert", "w.csv", "--weight", "w", "--numeric", "x", "--out", "w.cache", "--block-rows", "4"})
          .code == 0);
  write_text(folder / "far.csv", "x\n1\n1000\n-1000\n");
  const auto told = [&](const Words& more) {
    trained(folder, with({"train", "w.cache", "--model", "m", "--kind", "linear", "--optimizer", "adagrad", "--rate",
                          "1", "--valid-fraction", "0", "--clip-predictions"},
                         more));
    std::istringstream numbers(run_fm(folder, {"predict", "m", "far.csv"}).out);
    std::vector<double> out(3);
    for (double& number : out) numbers >> number;
    return out;
  };
  const std::vector<double> by_blocks = told({"--stream-above", "0"}), in_memory = told({});
  CHECK(by_blocks[1] == 9);
  CHECK(by_blocks[2] == 0);
  CHECK(by_blocks[0] == doctest::Approx(in_memory[0]).epsilon(1e-4));
  write_text(folder / "none.csv", "x,w,y\n1,0,0\n2,0,4\n");
  REQUIRE(run_fm(folder, {"convert", "none.csv", "--weight", "w", "--out", "none.cache", "--block-rows", "1"}).code ==
          0);
  CHECK(said(folder, {"train", "none.cache", "--stream-above", "0"}) ==
        "1: fm: none.cache: all weights are 0, so no example counts\n");
}

TEST_CASE("what needs all rows at once is refused with what would help") {
  const Folder folder;
  write_cache(folder);
  const auto refused = [&](const Words& more, const std::string& what) {
    CHECK(
        said(folder, with({"train", "ratings.cache", "--stream-above", "0"}, more)) ==
        fmt::format("1: fm: ratings.cache: is streamed, but {} needs all rows at once; --stream-above 2 lets them all "
                    "into memory\n",
                    what));
  };
  refused({"--task", "ranking"}, "a ranking");
  refused({"--batch", "0"}, "a batch of all rows");
  refused({"--cv", "3"}, "--cv");
  write_text(folder / "weights", "1\n");
  refused({"--weights", "weights"}, "a file of weights");
  CHECK(run_fm(folder, {"train", "ratings.cache", "--stream-above", "2", "--cv", "3", "--epochs", "1"}).code == 0);
  // A search is as many trainings.
  const nlohmann::json found = trained(
      folder, {"train", "ratings.cache", "--stream-above", "0", "--search", "--epochs", "1", "--batch", "4096"});
  CHECK(found["search"].size() == 27);
}
