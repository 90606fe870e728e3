#include "files.h"

#include "options.h"
#include "say.h"

#include <gradus/core/error.h>
#include <gradus/core/io/file.h>
#include <gradus/models/data/data_cache.h>
#include <gradus/models/training/model_file.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <string_view>

namespace fm {

using namespace gradus;

namespace {

// Up to `count` bytes of a file, from the front, or from the back where it is negative.
std::string part_of(const std::string& path, long count) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!file) return "";
  if (count < 0 && std::fseek(file.get(), count, SEEK_END) != 0) std::rewind(file.get());
  std::string text(static_cast<std::size_t>(std::abs(count)), '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

// Whether each line is a number, or two and a comma, as fm predict writes them: its first lines and its last.
bool is_predictions(const std::string& path) {
  constexpr long looked_at = 1L << 16;
  const auto all_numbers = [](std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      const std::string_view first = line.substr(0, line.find(','));
      const std::string_view second = line.substr(std::min(line.size(), first.size() + 1));
      const auto is_number = [](std::string_view word) {
        double number = 0;
        const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
        return error == std::errc() && end == word.data() + word.size();
      };
      if (!is_number(first) || (first.size() < line.size() && !is_number(second))) return false;
      text.remove_prefix(std::min(text.size(), line.size() + 1));
    }
    return true;
  };
  const std::string front = part_of(path, looked_at), back = part_of(path, -looked_at);
  if (!front.ends_with('\n') && front.size() < looked_at) return false;
  return all_numbers(front.substr(0, front.rfind('\n'))) && all_numbers(back.substr(back.find('\n') + 1));
}

// Whether the first line is that of fm recommend: the columns of the context, rank, the item's, score.
bool is_recommendations(const std::string& path) {
  const std::string front = part_of(path, 1L << 16);
  const std::string_view line = std::string_view(front).substr(0, front.find('\n'));
  return line.find("rank,") != std::string_view::npos && line.ends_with(",score");
}

bool is_report(const std::string& path) {
  return part_of(path, 15) == "<!DOCTYPE html>" &&
         part_of(path, -100).find("<footer>Made by gradus ") != std::string::npos;
}

struct KindOf {
  FileKind kind;
  const char* name;
  bool (*is)(const std::string& path);
};
constexpr KindOf kinds[] = {
    {FileKind::model, "a model", [](const std::string& path) { return is_model(path); }},
    {FileKind::state, "the state of a training", [](const std::string& path) { return is_training_state(path); }},
    {FileKind::cache, "a data cache", [](const std::string& path) { return is_data_cache(path); }},
    {FileKind::report, "a page of a training", is_report},
    {FileKind::log, "a log of a training", [](const std::string& path) { return part_of(path, 9) == R"({"event":)"; }},
    {FileKind::onnx, "a model that fm exported",
     [](const std::string& path) { return part_of(path, 10).find("\x12\x06gradus") == 2; }},
    {FileKind::c_header, "a header of a model",
     [](const std::string& path) { return part_of(path, 23) == "/* A model of the kind "; }},
    {FileKind::predictions, "a list of predictions", is_predictions},
    {FileKind::recommendations, "a list of recommendations", is_recommendations},
    {FileKind::config, "a file of options",
     [](const std::string& path) { return part_of(path, config_mark.size()) == config_mark; }},
};

void check_replaced(const OutputFile& output) {
  const auto* const kind =
      std::find_if(std::begin(kinds), std::end(kinds), [&](const KindOf& each) { return each.kind == output.kind; });
  if (kind != std::end(kinds) && !kind->is(output.path))
    fail<IoError>("{}: is there and is not {}; {} must name another file, unless --overwrite is given", output.path,
                  kind->name, output.option);
}

void check_writable(const OutputFile& output, const struct stat* there) {
  const std::string& path = output.path;
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  // A log grows where it is, and so does what is in a folder; all else is written beside, and takes its name.
  const bool in_place = there != nullptr && (output.kind == FileKind::log || output.kind == FileKind::folder);
  if (::access(in_place ? path.c_str() : folder.c_str(), in_place ? W_OK : W_OK | X_OK) != 0)
    fail_with_system(errno, path, "cannot be written");
}

// Where a file's name leads to something that is no file: a pipe, /dev/null.
bool is_stream(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

}  // namespace

void write_output(const std::string& path, const std::function<void(const Write&)>& make) {
  const auto to_stream = [](std::FILE* stream, const std::string& name) {
    return [stream, name](std::string_view text) {
      if (std::fwrite(text.data(), 1, text.size(), stream) == text.size()) return;
      if (stream == stdout) fail_output(errno);
      fail_with_system(errno, name, "cannot be written");
    };
  };
  if (path == "-") {
    make(to_stream(stdout, "standard output"));
    finish_output();
  } else if (is_stream(path)) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(path.c_str(), "w"), &std::fclose);
    if (!stream) fail_with_system(errno, path, "cannot be written");
    make(to_stream(stream.get(), path));
    if (std::fflush(stream.get()) != 0) fail_with_system(errno, path, "cannot be written");
  } else {
    write_file_atomically(
        path, [&](FileWriter& to) { make([&](std::string_view text) { to.write(text.data(), text.size()); }); });
  }
}

void check_files(std::vector<InputFile> inputs, const std::vector<OutputFile>& outputs, bool overwrite) {
  inputs.push_back({"this program", "/proc/self/exe"});
  for (InputFile& input : inputs)
    if (input.path == "-") input.path = "/dev/stdin";  // may be a file that a shell has opened
  for (auto output = outputs.begin(); output != outputs.end(); ++output) {
    if (output->path.empty() || output->path == "-") continue;
    struct stat status {};
    const bool there = ::stat(output->path.c_str(), &status) == 0;
    const bool folder = output->kind == FileKind::folder;
    if (there && S_ISDIR(status.st_mode) != folder)
      fail<IoError>("{}: is {} folder; {} names a {}", output->path, folder ? "no" : "a", output->option,
                    folder ? "folder" : "file");
    if (there && !S_ISREG(status.st_mode) && !folder) continue;
    for (const InputFile& input : inputs)
      if (!input.path.empty() && is_same_file(output->path, input.path))
        fail<IoError>("{}: is {}, which {} must not replace; name another file", output->path, input.what,
                      output->option);
    for (auto other = outputs.begin(); other != output; ++other)
      if (!other->path.empty() && other->path != "-" && is_same_file(output->path, other->path))
        fail<IoError>("{}: would be written twice, by {} and by {}", output->path, other->option, output->option);
    // A folder that is not there is made, with those above it.
    if (there || !folder) check_writable(*output, there ? &status : nullptr);
    if (there && status.st_size > 0 && !overwrite) check_replaced(*output);
  }
}

}  // namespace fm
