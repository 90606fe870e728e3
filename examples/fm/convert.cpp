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
  if (!command.model.empty()) {
    const TrainedModel model = load_model(command.model);
    if (model.ids || model.hash_bits > 0)
      fail<ValueError>("{}: indices that were renumbered or hashed have no cache; read the text itself", command.model);
    file.read = read_options(model, file.read);
  }
  const OpenedData opened = open_data(file);
  if (file.read.hash_bits > 0 && !file.read.table && opened.format != Format::csv && opened.format != Format::tsv &&
      opened.format != Format::movielens)
    fail<ValueError>("{}: a cache does not keep that indices are hashed; train from the text itself", file.path);
  const DataCacheSummary done = write_data_cache(command.out, *opened.source, {.block_rows = command.block_rows});
  if (command.common.json) {
    print_convert_json(command.out, done);
    return 0;
  }
  if (!opened.target.empty() && file.read.target.empty() && !file.read.table)
    say("target: {} (--target names another)\n", opened.target);
  say("{}: {} examples, {} features\n", command.out, done.rows, done.columns);
  if (done.unseen > 0) say("  never seen in training, so left out: {}\n", done.unseen);
  if (done.missing > 0) say("  empty, so read as 0: {}\n", done.missing);
  return 0;
}

}  // namespace fm
