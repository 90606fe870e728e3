// fm recommend: the best candidates for users, or other contexts. fm evaluate --top: how good the first of them are.
#include "commands.h"
#include "files.h"
#include "options.h"
#include "output.h"

#include <gradus/core/error.h>
#include <gradus/core/listed.h>
#include <gradus/models/training/top_evaluation.h>
#include "../progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <span>

namespace fm {

using namespace gradus;

namespace {

constexpr std::int64_t contexts_at_once = 1000;

// "genre=Comedy" of an option.
std::vector<NamedCell> cells_of(const std::vector<std::string>& texts, std::string_view option) {
  std::vector<NamedCell> out;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      fail<ValueError>("{} is {}; COLUMN=VALUE is expected", option, text);
    out.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

DataFile file_at(const std::string& path, const Common& common) {
  DataFile file;
  file.path = path;
  file.read.threads = common.threads;
  return file;
}

Candidates candidates_for(const TrainedModel& model, const std::string& file, const std::string& item,
                          const std::string& users, const std::vector<std::string>& where, const Common& common) {
  const std::string column = item_column(model, item);
  if (!file.empty()) return read_candidates(model, file_at(file, common), column, users, cells_of(where, "--where"));
  if (!where.empty()) fail<ValueError>("--where looks into the file of --candidates, but none is given");
  return candidates_of(model, column);
}

// What one context is told must be known to the model.
void check_known(const TrainedModel& model, const Contexts& contexts, const std::vector<NamedCell>& cells) {
  for (const auto& [name, cell] : cells) {
    const auto at = static_cast<std::size_t>(model.columns.table->find(name));
    if (contexts.unseen[at] == 0) continue;
    const std::string meant = did_you_mean(cell, model.columns.table->columns()[at].categories);
    fail<ValueError>("the model has not seen {} {}{}", name, cell,
                     meant.empty() ? "; fm update takes in what is new" : meant);
  }
}

Contexts contexts_for(const TrainedModel& model, const Candidates& candidates, const std::string& users,
                      const RecommendCommand& command) {
  std::vector<NamedCell> cells = cells_of(command.cells, "--for");
  if (!command.contexts.empty()) return read_contexts(model, file_at(command.contexts, command.common), candidates);
  const bool has_user =
      std::any_of(cells.begin(), cells.end(), [&](const NamedCell& each) { return each.first == users; });
  if (users.empty() && (command.user || cells.empty()))
    fail<ValueError>(
        "by their names none of the model's columns, or several, say who a user is; --by names one, or "
        "--for gives COLUMN=VALUE");
  if (command.user) cells.emplace_back(users, *command.user);
  const Contexts out = contexts_of(model, candidates, cells, command.user || has_user ? "" : users);
  check_known(model, out, cells);
  return out;
}

// The lines of some contexts, the first of which is number `first`.
void add_lines(std::string& text, const Contexts& contexts, std::int64_t first, const Candidates& candidates,
               std::span<const std::vector<Recommendation>> lists) {
  for (std::size_t i = 0; i < lists.size(); ++i) {
    std::string context;
    for (const KeptColumn& column : contexts.cells)
      context +=
          csv_cell(column.values()[static_cast<std::size_t>(column.of_row()[static_cast<std::size_t>(first) + i])]) +
          ",";
    int rank = 0;
    for (const auto& [item, score] : lists[i])
      text += fmt::format("{}{},{},{:.6g}\n", context, ++rank,
                          csv_cell(candidates.names[static_cast<std::size_t>(item)]), score);
  }
}

}  // namespace

int recommend(const RecommendCommand& command) {
  check_files({{"the model", command.model},
               {"the contexts", command.contexts},
               {"the candidates", command.candidates},
               {"what is left out", command.without}},
              {{"--output", command.out, FileKind::recommendations}}, command.overwrite);
  const TrainedModel model = load_model(command.model);
  const std::string users = user_column(model, command.by);
  const Candidates candidates =
      candidates_for(model, command.candidates, command.item, users, command.where, command.common);
  const Contexts contexts = contexts_for(model, candidates, users, command);
  std::vector<std::vector<Index>> without;
  if (!command.without.empty())
    without = read_pairs(model, file_at(command.without, command.common), candidates, contexts, users);

  const auto start = std::chrono::steady_clock::now();
  std::int64_t lines = 0;
  write_output(command.out, [&](const Write& write) {
    const Recommender best(model, command.model, candidates.x, trainer_options(command.common));
    Progress progress("recommending", (contexts.size() + contexts_at_once - 1) / contexts_at_once);
    std::string text;
    for (const std::string& column : contexts.columns) text += csv_cell(column) + ",";
    text += fmt::format("rank,{},score\n", csv_cell(candidates.column));
    for (std::int64_t first = 0; first < contexts.size(); first += contexts_at_once) {
      const std::int64_t some = std::min(contexts_at_once, contexts.size() - first);
      const auto of_these = std::span(without).subspan(without.empty() ? 0 : static_cast<std::size_t>(first),
                                                       without.empty() ? 0 : static_cast<std::size_t>(some));
      const auto lists = best(contexts.x.row_range(first, some), command.count, of_these);
      add_lines(text, contexts, first, candidates, lists);
      for (const auto& list : lists) lines += std::ssize(list);
      write(text);
      text.clear();
      progress.step();
    }
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  // Standard output is the recommendations', if they go there.
  std::FILE* const about = command.out == "-" ? stderr : stdout;
  if (command.common.json) {
    print_json(about, contexts, candidates, lines, seconds, model.columns.table.get());
    return 0;
  }
  if (command.out != "-")
    say("{}: {} lines: the best {} of {} candidates for each of {} context{}, in {:.2g} s\n", command.out, lines,
        command.count, candidates.names.size(), contexts.size(), plural(contexts.size()), seconds);
  print_counts(contexts.unseen, {}, model.columns.table.get(), about);
  if (candidates.unknown > 0)
    say(about, "  candidates that the model does not know, so left out: {}\n", candidates.unknown);
  if (!contexts.lacking.empty()) say(about, "  of a context not given, so left out: {}\n", listed(contexts.lacking));
  return 0;
}

int evaluate_top(const EvaluateCommand& command) {
  const TrainedModel model = load_model(command.model);
  const std::string users = user_column(model, command.by);
  if (users.empty())
    fail<ValueError>("by their names none of the model's columns, or several, say who a user is; --by names one");
  const Candidates candidates =
      candidates_for(model, command.candidates, command.item, users, command.where, command.common);
  DataFile test = data_file(command.data);
  test.read.threads = command.common.threads;
  const TopEvaluation found = gradus::evaluate_top(
      model, command.model, test, candidates, users,
      {.count = command.top, .without = file_at(command.without, command.common), .liked = command.liked},
      trainer_options(command.common));
  if (command.common.json) {
    print_json(found, candidates);
    return 0;
  }
  say("{}: {} users, who took {} of {} candidates\n", found.name, found.users, found.taken, candidates.names.size());
  say("model:      {}\n", to_string(found.model));
  if (found.popularity)
    say("popularity: {}\n", to_string(*found.popularity));
  else
    say("  --without TRAINING leaves out what users had before, and shows how good the most popular are\n");
  return 0;
}

}  // namespace fm
