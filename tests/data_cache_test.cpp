// The binary cache: that it gives back what it was given, that its epochs are functions of the seed, and that no damage
// to a file goes unseen: every byte of one is changed, and it is cut at every length.
#include "data_folder.h"
#include "folder.h"
#include "refusal.h"

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/core/run/session.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/batches.h>
#include <gradus/models/data/data_cache.h>
#include <gradus/models/data/read.h>
#include <gradus/models/model.h>
#include <gradus/optim/optim.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

namespace gradus {
namespace {

// 10 rows, each with a column that tells it.
std::string ten_lines() {
  std::string text;
  for (int r = 1; r <= 10; ++r) text += fmt::format("{} {}:0.5 {}:1 20:{}\n", r, r, 10 + r % 3, r);
  return text;
}

Rows in_memory(const std::string& text, const ReadOptions& options = {.format = Format::libsvm}) {
  return open_rows(Input::of_bytes("data", text), options)->next(unlimited);
}

DataCacheSummary write(const std::string& path, const std::string& text, std::int64_t block_rows,
                       const ReadOptions& options = {.format = Format::libsvm}) {
  return write_data_cache(path, *open_rows(Input::of_bytes("data", text), options), {.block_rows = block_rows});
}

// The targets of an epoch, which tell the rows apart, and the sizes of its batches.
std::vector<double> targets(const Batches& batches, std::int64_t e, std::int64_t first = 0) {
  std::vector<double> out;
  for (const Batch& batch : batches.epoch(e, first)) {
    CHECK(batch.epoch == e);
    CHECK(batch.x.dim(0) == batch.y.dim(0));
    CHECK_NOTHROW(batch.x.pattern()->check());
    for (std::int64_t r = 0; r < batch.y.dim(0); ++r) {
      CHECK(batch.x.at(r, static_cast<std::int64_t>(batch.y.at(r, 0)) - 1) == 0.5);
      out.push_back(batch.y.at(r, 0));
    }
  }
  return out;
}

std::string bytes_of(const std::string& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace

TEST_CASE("a cache gives back what it was given, in blocks") {
  const Folder folder;
  for (const DType dtype : {float32, float64}) {
    for (const std::int64_t block_rows : {1, 3, 5, 10, 65536}) {
      const ReadOptions options{.format = Format::libsvm, .dtype = dtype};
      const DataCacheSummary summary = write(folder / "cache", ten_lines(), block_rows, options);
      const std::int64_t blocks = (10 + block_rows - 1) / block_rows;
      CHECK(summary.rows == 10);
      CHECK(summary.columns == 20);
      CHECK(summary.blocks == blocks);
      const DataCache cache(folder / "cache");
      CHECK(cache.rows() == 10);
      CHECK(cache.columns().count == 20);
      CHECK(cache.dtype() == dtype);
      CHECK_FALSE(cache.weighted());
      CHECK(cache.columns().table == nullptr);
      CHECK(cache.blocks() == blocks);
      const Rows all = cache.all(), right = in_memory(ten_lines(), options);
      CHECK(all.x == right.x);
      CHECK(all.y == right.y);
      CHECK(cache.block(0).x.dim(0) == std::min<std::int64_t>(block_rows, 10));
      CHECK(cache.block(0).x.dim(1) == 20);
    }
  }
  CHECK(folder.files() == std::vector<std::string>{"cache"});
}

TEST_CASE("a cache carries the table, fields and weights") {
  const Folder folder;
  const std::string csv = "user,age,score,importance\nann,30,1,2\nbob,,0,0.5\nann,41,1,1\n";
  const ReadOptions options{.format = Format::csv, .target = "score", .weight = "importance"};
  const DataCacheSummary summary = write(folder / "table", csv, 2, options);
  CHECK(summary.missing == 1);
  const DataCache table(folder / "table");
  const ReadRows right = open_rows(Input::of_bytes("data", csv), options)->next(unlimited);
  REQUIRE(table.columns().table);
  CHECK(*table.columns().table == *right.columns.table);
  CHECK(table.weighted());
  CHECK(table.all().weight == right.weight);
  CHECK(table.all().x == right.x);
  CHECK(table.block(1).weight == Tensor({{1}}));

  write(folder / "fields", "1 0:0:1 1:1:1\n0 0:2:1 2:4:0.5\n", 1, {.format = Format::libffm});
  const DataCache fields(folder / "fields");
  REQUIRE(fields.columns().field);
  CHECK(*fields.columns().field == std::vector<Index>{0, 1, 0, -1, 2});
  CHECK(fields.block(0).x.ones());
  CHECK_FALSE(fields.block(1).x.ones());
}

TEST_CASE("epochs over blocks have each row once, in an order of the seed and the epoch alone") {
  const Folder folder;
  write(folder / "cache", ten_lines(), 3);
  const auto cache = std::make_shared<const DataCache>(folder / "cache");
  const std::vector<double> in_order{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  std::set<std::vector<double>> seen;
  for (const std::int64_t size : {1, 3, 4, 7, 100}) {
    CHECK(targets(Batches(cache, {.size = size, .shuffle = false}), 0) == in_order);
    const Batches batches(cache, {.size = size, .seed = 5}), alone(cache, {.size = size, .seed = 5, .threads = 0});
    CHECK(batches.count() == (10 + size - 1) / size);
    for (const std::int64_t e : {0, 1, 2}) {
      const std::vector<double> order = targets(batches, e);
      std::vector<double> sorted = order;
      std::sort(sorted.begin(), sorted.end());
      CHECK(sorted == in_order);
      CHECK(targets(alone, e) == order);
      CHECK(targets(Batches(cache, {.size = 2, .seed = 5}), e) == order);  // the size only cuts
      // The rows of a block follow one another.
      int changes = 0;
      for (std::size_t i = 1; i < order.size(); ++i)
        changes += static_cast<int>(order[i] - 1) / 3 != static_cast<int>(order[i - 1] - 1) / 3 ? 1 : 0;
      CHECK(changes == 3);
      seen.insert(order);
      // From any batch on.
      for (std::int64_t first = 0; first <= batches.count(); ++first) {
        const auto skipped = std::min<std::int64_t>(first * size, 10);
        CHECK(targets(batches, e, first) == std::vector<double>(order.begin() + skipped, order.end()));
      }
    }
  }
  CHECK(seen.size() == 3);
  CHECK(targets(Batches(cache, {.size = 4, .seed = 6}), 0) != targets(Batches(cache, {.size = 4, .seed = 5}), 0));
  CHECK(Batches(cache, {.size = 4, .drop_remainder = true}).count() == 2);
}

TEST_CASE("a cache of one block has the epochs of the same data in memory") {
  const Folder folder;
  write(folder / "cache", ten_lines(), 65536);
  const Batches cached(std::make_shared<const DataCache>(folder / "cache"), {.size = 3, .seed = 2});
  const Batches memory(in_memory(ten_lines()), {.size = 3, .seed = 2});
  for (const std::int64_t e : {0, 1}) CHECK(targets(cached, e) == targets(memory, e));
}

TEST_CASE("no changed byte and no cut goes unseen") {
  const Folder folder;
  const std::string path = folder / "cache";
  write(path, ten_lines(), 4);
  const std::string whole = bytes_of(path);
  const auto read_all = [&] { return DataCache(path).all(); };
  CHECK_NOTHROW(read_all());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    put(path, changed);
    CAPTURE(i);
    CHECK_THROWS_AS(read_all(), IoError);
  }
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    put(path, whole.substr(0, bytes));
    CAPTURE(bytes);
    CHECK_THROWS_AS(read_all(), IoError);
  }
  put(path, whole + "x");
  CHECK_THROWS_AS(read_all(), IoError);
}

TEST_CASE("what is wrong with a cache is said") {
  const Folder folder;
  const std::string path = folder / "cache";
  write(path, ten_lines(), 4);
  const std::string whole = bytes_of(path);
  const auto said = [&](const std::string& bytes) {
    put(path, bytes);
    return refusal<IoError>([&] { DataCache(path).all(); });
  };
  std::string changed = whole;
  changed[whole.find("gradus_cache\":\"2") + 15] = '3';
  CHECK(said(changed) ==
        path +
            ": is a cache of version 3; version 2 is expected: write_data_cache makes a new one of the "
            "data");
  CHECK(said("gradusdc and what was once behind it") ==
        path + ": is a cache of version 1; write_data_cache makes a new one of the data");
  CHECK(is_data_cache(path));
  CHECK(said(whole.substr(0, whole.size() - 1)) ==
        path +
            ": is no data cache, or is damaged: tensor 'y' ends at byte 320 but the file holds 319 bytes of numbers");
  CHECK(said("1 1:1\n") == path + ": is no data cache, or is damaged: has 6 bytes; a safetensors file has at least 8");
  changed = whole;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  CHECK(said(changed) == path + ": is damaged: block 2 is not what was written");
  changed = whole;
  changed[whole.find("features\":\"20") + 11] = '3';
  CHECK(said(changed) == path + ": is damaged: its metadata are not what was written");
  CHECK(refusal<IoError>([&] { DataCache cache(folder / "none"); }) ==
        folder / "none" + ": cannot be opened: No such file or directory");
  CHECK(refusal<IoError>([&] { DataCache cache(folder / ""); }) ==
        folder / "" + ": cannot be read: it is not a regular file");
}

TEST_CASE("what write_data_cache refuses leaves the file as it was") {
  const Folder folder;
  const std::string path = folder / "cache";
  write(path, ten_lines(), 4);
  CHECK(refusal<ValueError>([&] { write(path, ten_lines(), 0); }) ==
        "write_data_cache: .block_rows is 0; 1 to 2147483647 are expected");
  CHECK(refusal<IoError>([&] { write(path, "1 1:1\n2 x:1\n", 1); }).starts_with("data:2: "));
  CHECK(refusal<ValueError>([&] {
          write(path, "a,b\n1,2\n", 4, {.format = Format::csv, .target = "", .need_target = false});
        }) != "nothing was thrown");
  CHECK(DataCache(path).rows() == 10);
  CHECK(folder.files() == std::vector<std::string>{"cache"});
}

TEST_CASE("field-aware and deep models train on criteo-small from a cache") {
  const std::filesystem::path file = data_folder("criteo-small") / "small_train.txt";
  if (!std::filesystem::exists(file)) {
    MESSAGE("skipped: there is no ", file.string(), "; set GRADUS_DATA to the folder that holds criteo-small");
    return;
  }
  const Folder folder;
  const auto source = open_rows(
      file.string(), {.format = Format::libffm, .duplicates = Duplicates::sum, .other_field = OtherField::keep_first});
  const DataCacheSummary summary = write_data_cache(folder / "criteo", *source, {.block_rows = 64});
  CHECK(summary.blocks > 1);
  const auto cache = std::make_shared<const DataCache>(folder / "criteo");
  REQUIRE(cache->columns().field);
  for (const ModelKind kind : {ModelKind::field_aware, ModelKind::deep}) {
    Graph g;
    const Model model =
        make_model(g, cache->columns().count,
                   {.kind = kind, .task = Task::binary, .factors = 4, .field_of = *cache->columns().field});
    const Expr train = Adagrad(0.1).minimize(model.loss);
    Session session(g);
    const Batches batches(cache, {.size = 32, .map = [](Batch& batch) { batch.y = binary_targets(batch.y).y; }});
    const auto mean_error = [&] {
      double sum = 0;
      for (const Batch& batch : batches.epoch(0))
        sum += session.run(model.error, {{model.X, batch.x}, {model.y, batch.y}}).item() *
               static_cast<double>(batch.x.dim(0));
      return sum / static_cast<double>(cache->rows());
    };
    const double before = mean_error();
    for (int e = 0; e < 10; ++e)
      for (const Batch& batch : batches.epoch(e)) session.run(train, {{model.X, batch.x}, {model.y, batch.y}});
    CHECK(mean_error() < 0.8 * before);
  }
}

}  // namespace gradus
