// Damaged files of every kind: refused by an Error of ours or read, never a crash or a hang; what is written beside is
// whole or not there. Most are read by the library in a process of its own, each tenth by the program fm.
#include "../program/clicks.h"
#include "../sanitized.h"
#include "../scratch_file.h"
#include "attack.h"
#include "damage.h"

#include <gradus/core/error.h>
#include <gradus/core/io/checksum.h>
#include <gradus/core/io/safetensors.h>
#include <gradus/models/data/data_cache.h>
#include <gradus/models/data/detail/columns_file.h>
#include <gradus/models/data/read.h>
#include <gradus/models/training/inspection.h>
#include <gradus/models/training/predictor.h>
#include <gradus/models/training/training_set.h>

#include <cstring>
#include <functional>
#include <map>
#include <new>

using namespace gradus;

namespace {

Rows rows() {
  std::vector<std::int64_t> start{0}, column;
  std::vector<float> y;
  for (std::int64_t i = 0; i < 40; ++i) {
    column.insert(column.end(), {i % 3, 3 + i % 4});
    start.push_back(std::ssize(column));
    y.push_back(static_cast<float>(i % 5));
  }
  return {Tensor::csr(40, 7, start, column, std::vector<float>(column.size(), 1)), Tensor::from(y, {40, 1})};
}

TrainingOptions options() {
  TrainingOptions out;
  out.task = Task::regression;
  out.epochs = 3;
  out.batch = 16;
  out.factors = 2;
  return out;
}

// Damage behind the checksums, so that what lies there is reached.
std::string damaged_tensors(const std::string& path, const std::string& scratch, std::mt19937& random) {
  SafeTensors file = load_safetensors(path);
  auto metadatum = file.metadata.begin();
  std::advance(metadatum, random() % file.metadata.size());
  if (random() % 3 > 0) metadatum->second = damaged(metadatum->second, random);
  if (random() % 2 == 0) {
    auto tensor = file.tensors.begin();
    std::advance(tensor, random() % file.tensors.size());
    if (random() % 4 == 0) {
      file.tensors.erase(tensor);
    } else {
      std::vector<float> numbers(random() % 40, random() % 2 == 0 ? std::nanf("") : 1e38F);
      tensor->second = Tensor::from(numbers);
    }
  }
  std::map<std::string, Tensor> summed = file.tensors;
  if (file.metadata.contains("gradus_cache"))
    std::erase_if(summed, [](const auto& each) { return !is_of_columns(each.first); });
  if (metadatum->first != "checksum") file.metadata["checksum"] = checksum(summed, file.metadata);
  try {
    save_safetensors(scratch, file);
  } catch (const ValueError&) {  // what is not UTF-8 cannot be written
    return text_of(path);
  }
  return text_of(scratch);
}

// Files of a kind, and what is done with one: `out` may be written.
struct FileOfKind {
  std::string name;
  std::string bytes;
  std::function<void(const std::string& path, const std::string& out)> use;
  std::function<void(const std::string& out)> check;  // of what was written; throws
  Words by_fm;                                        // "FILE" and "OUT" stand for their names
};

void read_text(const std::string& path, const std::string& out, ReadOptions read) {
  write_data_cache(out, *open_rows(path, read), {.block_rows = 16});
}

void use_model(const std::string& path, const std::string& out) {
  const TrainedModel model = load_model(path);
  (void)strongest_features(model, 5);
  (void)strongest_pairs(model, 5);
  if (model.columns.count == 7) (void)Predictor(model, "model").all(rows().x);
  save_model(out, model);
}

void use_state(const std::string& path, const std::string& out) {
  Trainer trainer(rows(), rows().range(0, 10), {}, options());
  trainer.restore(path);
  try {
    trainer.run();
  } catch (const DivergedError&) {  // numbers of a right shape may be any
  }
  trainer.save(out);
}

std::vector<FileOfKind> all_kinds(const Folder& folder) {
  std::string svm, ffm, ratings;
  for (int i = 0; i < 40; ++i) {
    svm += fmt::format("{} {}:1 {}:0.5 9:{}\n", i % 2, 1 + i % 3, 4 + i % 4, i);
    ffm += fmt::format("{} 0:{}:1 1:{}:1\n", i % 2, i % 3, 3 + i % 4);
    ratings += fmt::format("{}\t{}\t{}\t{}\n", 1 + i % 7, 1 + i % 9, 1 + i % 5, 881250949 + i);
  }
  write_text(folder / "clicks.csv", clicks);
  read_text(folder / "clicks.csv", folder / "cache", {.target = "clicked"});
  Trainer trainer(rows(), rows().range(0, 10), {}, options());
  trainer.run({}, 2);
  trainer.save(folder / "state");
  train_clicks(folder);
  TrainingOptions of_fields = options();
  of_fields.kind = ModelKind::field_aware;
  write_text(folder / "data.ffm", ffm);
  const TrainingSet set = load_training_set({.path = folder / "data.ffm"}, {}, of_fields);
  Trainer field_aware(set.train, set.validation, set.columns, of_fields);
  field_aware.run();
  TrainedModel model = untrained_model(set, of_fields);
  model.parameters = field_aware.parameters();
  save_model(folder / "ffm-model", model);

  const auto is_cache = [](const std::string& out) { (void)DataCache(out).all(); };
  const auto text = [&](const std::string& name, const std::string& bytes, Format format) {
    const std::string target = bytes == clicks || name == "csv.gz" ? "clicked" : "";
    return FileOfKind{name,
                      bytes,
                      [format, target](const std::string& path, const std::string& out) {
                        read_text(path, out, {.format = format, .target = target});
                      },
                      is_cache,
                      {"train", "FILE", "--format", std::string(to_string(format)), "--epochs", "2", "--model", "OUT"}};
  };
  const auto is_model_file = [](const std::string& out) { (void)load_model(out); };
  return {
      text("csv", clicks, Format::csv),
      text("csv.gz", gzipped(clicks), Format::csv),
      text("libsvm", svm, Format::libsvm),
      text("libffm", ffm, Format::libffm),
      text("movielens", ratings, Format::movielens),
      text("guessed", clicks, Format::guess),
      {"cache",
       text_of(folder / "cache"),
       [](const std::string& path, const std::string& out) {
         const DataCache cache(path);
         for (std::int64_t b = 0; b < cache.blocks(); ++b) (void)cache.block(b);
         write_file_atomically(out, std::span<const std::byte>());
       },
       [](const std::string&) {},
       {"train", "FILE", "--epochs", "2", "--stream-above", "0", "--model", "OUT"}},
      {"model", text_of(folder / "m"), use_model, is_model_file, {"predict", "FILE", "clicks.csv", "--out", "OUT"}},
      {"ffm-model", text_of(folder / "ffm-model"), use_model, is_model_file, {"inspect", "FILE"}},
      {"state",
       text_of(folder / "state"),
       use_state,
       [](const std::string& out) { Trainer(rows(), rows().range(0, 10), {}, options()).restore(out); },
       {"evaluate", "FILE", "clicks.csv"}},
  };
}

// What has become of a process that used the file: "" where all is well.
std::string used_by_library(const FileOfKind& kind, const std::string& path, const std::string& out) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(sanitized ? 120 : 30);
    if (!sanitized) {
      const struct rlimit limit { std::uint64_t{4} << 30, std::uint64_t{4} << 30 };
      ::setrlimit(RLIMIT_AS, &limit);
    }
    int code = 0;
    try {
      kind.use(path, out);
    } catch (const Error& error) {
      code = std::strstr(error.what(), "json.exception") == nullptr ? 1 : 4;
    } catch (const std::bad_alloc&) {
      code = 1;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
      code = 3;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  if (code > 1) return fmt::format("an exception that is no Error of ours, code {}", code);
  if (code == 1 && ::access(out.c_str(), F_OK) == 0) return "refused, but a file was left";
  return "";
}

std::string used_by_fm(const Folder& folder, const FileOfKind& kind, const std::string& out) {
  Words words = kind.by_fm;
  for (std::string& word : words) word = word == "FILE" ? "damaged" : word == "OUT" ? "out" : word;
  const Finished done = run_fm(folder, words);
  if (done.signal != 0) return fmt::format("fm: signal {}", done.signal);
  if (done.code > 1) return fmt::format("fm: exit code {}", done.code);
  if (done.code == 1 && (!done.err.starts_with("fm: ") || std::count(done.err.begin(), done.err.end(), '\n') != 1))
    return "fm: its message is not one line: " + done.err;
  if (done.err.find("json.exception") != std::string::npos) return done.err;
  if (done.code == 1 && ::access(out.c_str(), F_OK) == 0) return "fm: refused, but a file was left";
  return "";
}

}  // namespace

TEST_CASE("damaged files are refused or read") {
  const Folder folder;
  const std::vector<FileOfKind> kinds = all_kinds(folder);
  const std::string path = folder / "damaged", out = folder / "out";
  std::map<std::string, int> read;
  for (int i = 0; i < attack.mutations; ++i) {
    const FileOfKind& kind = kinds[static_cast<std::size_t>(i) % kinds.size()];
    std::mt19937 random(static_cast<unsigned>(i));
    const bool behind = random() % 2 == 0;  // the checksums, where there are some
    const std::string original = kind.name == "state" ? "state" : kind.name == "model" ? "m" : kind.name;
    const bool has_checksum = kind.name.ends_with("model") || kind.name == "state" || kind.name == "cache";
    const std::string bytes = behind && has_checksum ? damaged_tensors(folder / original, folder / "scratch", random)
                                                     : damaged(kind.bytes, random);
    write_text(path, bytes);
    std::filesystem::remove(out);
    const bool by_fm = (static_cast<std::size_t>(i) / kinds.size()) % 10 == 9;
    std::string wrong = by_fm ? used_by_fm(folder, kind, out) : used_by_library(kind, path, out);
    if (wrong.empty() && !by_fm && ::access(out.c_str(), F_OK) == 0) {
      ++read[kind.name];
      try {
        kind.check(out);
      } catch (const Error& error) {
        wrong = fmt::format("what was written cannot be read: {}", error.what());
      }
    }
    for (const std::string& name : folder.files())
      if (name.ends_with(".tmp")) wrong += " " + name + " was left";
    CHECK_MESSAGE(wrong.empty(), "mutation ", i, " of ", kind.name, ": ", wrong);
  }
  std::string counts;
  for (const auto& [name, count] : read) counts += fmt::format(" {} {}", name, count);
  MESSAGE(attack.mutations, " damaged files; read all the same:", counts);
}
