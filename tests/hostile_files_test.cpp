// Files that mean harm, or that somebody writes to while they are read: refused with a sentence, never a crash, and
// nothing of them is used.
#include "folder.h"
#include "refusal.h"

#include <gradus/core/io/file.h>
#include <gradus/core/io/json.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/core/tensor/create.h>
#include <gradus/models/data/data_cache.h>
#include <gradus/models/data/detail/columns_file.h>
#include <gradus/models/data/input.h>
#include <gradus/models/data/read.h>
#include <gradus/models/formats/utf8.h>
#include <gradus/models/training/model_file.h>
#include <gradus/models/training/trainer.h>

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <filesystem>
#include <span>

using namespace gradus;

namespace {

void write(const std::string& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string safetensors_of(const std::string& header) {
  const std::uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), sizeof length) + header;
}

// Without the path, which begins it.
std::string refused(const Folder& folder, const std::string& header) {
  write(folder / "f", safetensors_of(header));
  return refusal<IoError>([&] { load_safetensors(folder / "f"); }).substr((folder / "f").size());
}

Rows rows_of(std::int64_t rows) {
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> y;
  for (std::int64_t i = 0; i < rows; ++i) {
    column.insert(column.end(), {i % 5, 5 + i % 7});
    start.push_back(std::ssize(column));
    y.push_back(static_cast<float>(i % 3));
  }
  return {Tensor::csr(rows, 12, start, column, std::vector<float>(column.size(), 1)), Tensor::from(y, {rows, 1})};
}

// Overwrites the end of a file where it lies, or cuts it.
void overwrite(const std::string& path, const std::string& with) {
  std::FILE* const file = std::fopen(path.c_str(), "r+b");
  REQUIRE(file != nullptr);
  std::fwrite(with.data(), 1, with.size(), file);
  std::fclose(file);
  // However coarse the clock of the file system is.
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
}

}  // namespace

TEST_CASE("JSON that is deeper or wider than any of ours is not parsed") {
  CHECK(parse_json(repeated("[", 60) + repeated("]", 60)).is_array());
  CHECK(parse_json(repeated("[", 100'000)).is_discarded());
  CHECK(parse_json(repeated("{\"a\":", 100'000) + "1" + repeated("}", 100'000)).is_discarded());
  std::string wide = "{\"a\":0";
  for (int i = 0; i < 2000; ++i) wide += fmt::format(",\"{}\":0", i);
  CHECK(parse_json(wide + "}").is_discarded());
  CHECK(parse_json("[\"" + repeated("[", 1000) + repeated("\\\":,", 5000) + "\"]").is_array());  // within a text
  CHECK(parse_json("]]]]{").is_discarded());
  CHECK(parse_json("\"\\").is_discarded());
}

TEST_CASE("headers that would take hours or the stack are refused at once") {
  const Folder folder;
  const std::string limits =
      ": the header is nested more than 8 deep, names more than 100000 tensors or holds more than 2000000 values";
  CHECK(refused(folder, "{\"__metadata__\":" + repeated("{\"a\":", 100'000) + "1" + repeated("}", 100'001)) == limits);
  CHECK(refused(folder, "{\"a\":" + repeated("[", 100'000) + repeated("]", 100'000) + "}") == limits);
  std::string many = "{\"a\":0";
  for (int i = 0; i < 110'000; ++i) many += fmt::format(",\"{}\":0", i);
  CHECK(refused(folder, many + "}") == limits);
  CHECK(refused(folder, "{\"a\":{\"shape\":[1" + repeated(",1", 3'000'000) + "]}}") == limits);
  CHECK(refused(folder, "{\"a\":1,\"a\":1}") == ": the header names 'a' twice");
  CHECK(refused(folder, "{\"a\":{\"shape\":[1],\"shape\":[1]}}") == ": the header names 'shape' twice");
  CHECK(refused(folder, "{") == ": the header is not JSON");
  // As many tensors as may be, of nothing: by time that grows with them.
  many = "{\"__metadata__\":{}";
  for (int i = 0; i < 30'000; ++i)
    many += fmt::format(",\"{}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", i);
  write(folder / "f", safetensors_of(many + "}"));
  CHECK(load_safetensors(folder / "f").tensors.size() == 30'000);
  write(folder / "f", safetensors_of(R"({"__metadata__":{"gradus_model":"1"}})"));
  CHECK(is_model(folder / "f"));
  CHECK(!is_training_state(folder / "f"));
  CHECK(!is_model(folder / "none"));
}

TEST_CASE("a model's metadata nested deep are refused") {
  const Folder folder;
  TrainedModel model;
  model.options.task = Task::regression;
  model.columns.count = 2;
  model.options.kind = ModelKind::linear;
  model.parameters = {{"w0", zeros({1})}, {"W", zeros({2})}};
  save_model(folder / "m", model);
  const SafeTensors good = load_safetensors(folder / "m");
  for (const auto& entry : good.metadata) {
    const std::string& key = entry.first;
    if (key == "checksum") continue;
    SafeTensors bad = good;
    const std::vector<std::string> texts = {repeated("[", 50'000), repeated("{\"columns\":", 50'000), "\"\\ud800\""};
    for (const std::string& nested : texts) {
      bad.metadata[key] = nested;
      bad.metadata["checksum"] = checksum(bad.tensors, bad.metadata);
      save_safetensors(folder / "m", bad);
      const std::string what = refusal<IoError>([&] { load_model(folder / "m"); });
      if (key == "task") continue;  // for people who look in; the options have it too
      CHECK_MESSAGE(what.starts_with(folder / "m" + ": "), key);
      CHECK(what.find("json") == std::string::npos);
    }
  }
}

TEST_CASE("a state whose tensors are of other shapes is refused, and leaves the training as it was") {
  const Folder folder;
  const Rows train = rows_of(60), validation = rows_of(20);
  TrainingOptions options;
  options.task = Task::regression;
  options.epochs = 4;
  options.batch = 16;
  options.patience = 0;
  Trainer trainer(train, validation, {}, options);
  trainer.run({}, 2);
  trainer.save(folder / "state");
  CHECK(is_training_state(folder / "state"));
  const SafeTensors good = load_safetensors(folder / "state");
  const auto check_refused = [&](SafeTensors bad) {
    bad.metadata["checksum"] = checksum(bad.tensors, bad.metadata);
    save_safetensors(folder / "bad", bad);
    Trainer other(train, validation, {}, options);
    const auto before = other.parameters();
    CHECK(refusal<IoError>([&] { other.restore(folder / "bad"); }).starts_with(folder / "bad: is damaged: "));
    CHECK(other.epochs_done() == 0);
    CHECK(other.parameters() == before);
  };
  for (const auto& entry : good.tensors) {
    const std::string& name = entry.first;
    const Tensor& tensor = entry.second;
    CAPTURE(name);
    SafeTensors bad = good;
    bad.tensors.at(name) = zeros({3, 5});
    check_refused(bad);
    if (tensor.dtype() != int64) {
      bad.tensors.at(name) =
          Tensor::from(std::vector<std::int64_t>(static_cast<std::size_t>(tensor.size()), 1), tensor.shape());
      check_refused(bad);
    }
    bad.tensors.erase(name);
    check_refused(bad);
  }
  SafeTensors more = good;
  more.tensors.emplace("best/other", zeros({1}));
  check_refused(more);
  for (const std::vector<std::int64_t>& position : std::vector<std::vector<std::int64_t>>{{2, 99, 0, 1},
                                                                                          {2, -1, 0, 1},
                                                                                          {-1, 0, 0, 1},
                                                                                          {INT64_MAX, 0, 0, 1},
                                                                                          {2, 0, 0, 3},
                                                                                          {2, 0, 0, 0},
                                                                                          {2, 0, -5, 1}}) {
    SafeTensors bad = good;
    bad.tensors.at("position") = Tensor::from(position);
    check_refused(bad);
  }
  Trainer again(train, validation, {}, options);
  again.restore(folder / "state");
  CHECK(again.epochs_done() == 2);
}

TEST_CASE("a file that is written to while it is read is an error") {
  const Folder folder;
  const std::string text = repeated("1 1:1 2:0.5\n", 1'000'000);
  const auto read_on = [&](const std::string& path, auto change) {
    return refusal<IoError>([&] {
      Input input(path);
      input.take(input.look(1).text.size());
      change();
      for (std::size_t bytes = 1; !input.look(bytes).last; bytes = 1) input.take(input.look(1).text.size());
    });
  };
  const std::string path = folder / "text";
  write(path, text);
  CHECK(read_on(path, [&] { std::filesystem::resize_file(path, 5'000'000); }) ==
        path + ": became shorter while it was read");
  write(path, text);
  CHECK(read_on(path, [&] { overwrite(path, "2 1:1"); }) == path + ": was written to while it was read");
  // Who replaces it, as one should, is not noticed.
  write(path, text);
  CHECK(read_on(path, [&] { write(path, "1 1:1\n"); }) == "nothing was thrown");

  write(path, text);
  const auto source = open_rows(path, {.format = Format::libsvm});
  write_data_cache(folder / "cache", *source, {.block_rows = 100'000});
  const DataCache cache(folder / "cache");
  CHECK(cache.block(9).size() == 100'000);
  std::filesystem::resize_file(folder / "cache", 1000);
  CHECK(refusal<IoError>([&] { cache.block(9); }) == folder / "cache: became shorter while it was read");
  CHECK(refusal<IoError>([&] { cache.block(0); }) == folder / "cache: became shorter while it was read");

  write(path, text);
  FileReader reader(path);
  std::vector<char> bytes(text.size());
  reader.read(bytes.data(), 100);
  std::filesystem::resize_file(path, 1000);
  CHECK(refusal<IoError>([&] { reader.read(bytes.data(), bytes.size() - 100); }) ==
        path + ": became shorter while it was read");
}

TEST_CASE("one file by many names") {
  const Folder folder;
  write(folder / "a", "a");
  write(folder / "b", "b");
  std::filesystem::create_hard_link(folder / "a", folder / "hard");
  std::filesystem::create_symlink(folder / "hard", folder / "soft");
  std::filesystem::create_directory(folder / "inside");
  CHECK(is_same_file(folder / "a", folder / "inside/../soft"));
  CHECK(!is_same_file(folder / "a", folder / "b"));
  CHECK(!is_same_file(folder / "a", folder / "none"));
  CHECK(is_same_file(folder / "none", folder / "inside/../none"));
  CHECK(!is_same_file(folder / "none", folder / "inside/none"));
}

TEST_CASE("what steers a terminal is escaped") {
  CHECK(printable("item=50 \xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80") == "item=50 \xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80");
  CHECK(printable("\x1b[31m\a\r\n\t\x7f") == "\\x1b[31m\\x07\\r\\n\\t\\x7f");
  CHECK(printable("\xc2\x9b"
                  "2J") == "\\u009b2J");
  CHECK(printable("a\xe2\x80\xae"
                  "b\xe2\x81\xa6\xd8\x9c\xe2\x80\xa8") == "a\\u202eb\\u2066\\u061c\\u2028");
  CHECK(printable("\xff\xc3") == "\\xff\\xc3");
  CHECK(printable(std::string("\0", 1)) == "\\x00");
}
