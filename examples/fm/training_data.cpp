#include "training_data.h"

#include "output.h"

#include <gradus/core/error.h>
#include <gradus/core/listed.h>

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace fm {

using namespace gradus;

namespace {

// The first of some names.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 12;
  const auto shown = std::span(names).first(std::min(names.size(), most));
  return fmt::format("{}{}", listed(shown),
                     names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

// ": the last of each user, by timestamp"; "" of rows drawn by lot.
std::string describe_split(const TrainingSet& set, SplitBy by) {
  const std::string &user = set.about.user_column, &time = set.about.time_column;
  switch (by) {
    case SplitBy::random: break;
    case SplitBy::time: return fmt::format(": the latest by {}", time);
    case SplitBy::user: return fmt::format(": all of some by {}", user);
    case SplitBy::leave_last_out:
      return fmt::format(": the last by {}, {}", user,
                         time.empty() ? "in the order of the file" : "in time by " + time);
  }
  return "";
}

void print_relations(const TrainingSet& set) {
  if (!set.columns.relations) return;
  for (const RelationBlock& block : set.columns.relations->blocks) {
    say("{}\n", describe(block));
    for (const JoinedTable& joined : set.joined)
      if (joined.table == block.table) {
        if (joined.findings) print_findings(*joined.findings);
        const std::string scale = describe_scale(joined.scale, {.count = joined.x.dim(1), .table = joined.table});
        if (!scale.empty()) say("  divided: {}\n", scale);
        print_counts({}, joined.missing, joined.table.get());
      }
  }
}

}  // namespace

void check_joins(const TrainCommand& train) {
  if (train.join.size() != train.on.size())
    fail<ValueError>("--join names {} table{} but --on {} column{}; one column for each table is expected",
                     train.join.size(), train.join.size() == 1 ? "" : "s", train.on.size(),
                     train.on.size() == 1 ? "" : "s");
  if (!train.join.empty() && train.options.kind != ModelKind::linear && train.options.kind != ModelKind::fm)
    fail<ValueError>("--join adds columns by way of others, which linear and fm can have, but not {}",
                     to_string(train.options.kind));
  if (!train.walkthrough.empty() && (!train.join.empty() || !train.options.implicit.empty()))
    fail<ValueError>("--walkthrough shows no columns that are joined or implicit");
}

void print_data(const TrainingSet& set, const TrainCommand& command) {
  const std::int64_t held_out = set.validation_size();
  say("{}: {}, {} examples, {}\n", set.about.name, format_name(set.about.format),
      set.train->size() + (command.validation.empty() ? held_out : 0), describe_features(set.columns));
  if (set.about.findings) print_findings(*set.about.findings);
  print_relations(set);
  if (set.columns.ids)
    say("indices lie far apart, so each of the {} that occur has a number of its own\n", set.columns.count);
  if (set.about.streamed_mib > 0)
    say("streamed: {} blocks of {} MiB in all, more than --stream-above {}\n", set.train->blocks(),
        set.about.streamed_mib, command.options.stream_above);
  if (!set.about.target.empty() && command.data.file.read.target.empty())
    say("target: {} (--target names another)\n", set.about.target);
  if (const std::string scale = describe_scale(set.scale, set.columns, set.about.format); !scale.empty())
    say("divided: {}{}\n", scale, command.options.normalize ? "" : " (--no-normalize leaves columns as they are)");
  if (!set.classes.empty()) say("classes: {}\n", some_of(set.classes));
  if (!set.class_weights.empty()) {
    const std::vector<std::string> names =
        set.classes.empty() ? std::vector<std::string>{set.zero_one ? "0" : "-1", "1"} : set.classes;
    std::vector<std::string> weights;
    for (std::size_t c = 0; c < names.size(); ++c)
      weights.push_back(fmt::format("{} by {:.4g}", names[c], set.class_weights[c]));
    say("balanced: rows count by their class, {}\n", some_of(weights));
  }
  if (set.one_two) say("classes: 1 and 2; what is told is the probability of 2\n");
  if (held_out > 0)
    say("validation: {} examples{}\n", held_out,
        command.validation.empty() ? " held out" + describe_split(set, command.options.split.by)
                                   : fmt::format(" of {}", command.validation));
  else if (command.options.valid_fraction > 0 && command.folds == 0)
    say("validation: none; of {} examples none can be spared\n", set.train->size());
  print_counts({}, set.about.missing, set.columns.table.get());
}

}  // namespace fm
