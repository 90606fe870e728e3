// fm convert: a data file as a binary cache, which is read many times faster.
#include "commands.h"
#include "files.h"
#include "output.h"

#include <gradus/core/error.h>

#include <fmt/format.h>

namespace fm {

using namespace gradus;

int convert(const ConvertCommand& command) {
  check_files({{"the data", command.data.file.path}, {"the model", command.model}},
              {{"--out", command.out, FileKind::cache}}, command.overwrite);
  DataFile file = data_file(command.data);
  file.read.threads = command.common.threads;
  file.read.targets = TargetCells::either;
  if (!command.model.empty()) {
    file.read = read_options(load_model(command.model), file.read);
  }
  const OpenedFile opened = open_file(file);
  const DataCacheSummary done = write_data_cache(command.out, *opened.reader, {.block_rows = command.block_rows});
  if (command.common.json) {
    print_convert_json(command.out, done);
    return 0;
  }
  if (!opened.target.empty() && file.read.target.empty() && !file.read.columns.table)
    say("target: {} (--target names another)\n", opened.target);
  say("{}: {} examples, {} features\n", command.out, done.rows, done.columns);
  if (done.unseen > 0) say("  never seen in training, so left out: {}\n", done.unseen);
  if (done.missing > 0) say("  empty, so read as 0: {}\n", done.missing);
  return 0;
}

}  // namespace fm
