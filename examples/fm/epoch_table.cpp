#include "epoch_table.h"

#include "say.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace fm {

using namespace gradus;

namespace {

std::string per_second(double examples, double seconds) {
  const double rate = examples / seconds;
  if (!std::isfinite(rate)) return "-";
  if (rate >= 1e6) return fmt::format("{:.1f} M", rate / 1e6);
  return rate >= 1e3 ? fmt::format("{:.1f} k", rate / 1e3) : fmt::format("{:.0f}", rate);
}

}  // namespace

EpochTable::EpochTable(const TrainingSet& set, const TrainingOptions& options, bool shown)
    : examples_(static_cast<double>(set.train->size())),
      validates_(set.validation != nullptr),
      epochs_(*options.epochs),
      every_(options.optimizer == Learner::mcmc ? std::max<std::int64_t>(*options.epochs / 20, 1) : 1),
      loss_(main_metric(*options.task)),
      metric_(stopping_metric(options)),
      shown_(shown) {
  if (!shown_) return;
  say("{:>5}  {:>14}", "epoch", "train " + loss_);
  if (validates_) say("  {:>14}", "valid " + metric_);
  say("  {:>10}\n", "examples/s");
}

void EpochTable::batch(const EpochProgress& p) {
  if (!bar_) bar_.emplace(fmt::format("epoch {:>{}}/{}", p.epoch, fmt::format("{}", epochs_).size(), epochs_));
  if (!bar_->due()) return;
  const double left = p.seconds * static_cast<double>(p.batches - p.batch) / static_cast<double>(p.batch);
  bar_->show(
      p.batch, p.batches,
      fmt::format("loss {}{}  {} examples/s  {:.0f} s left", shown_metric(p.loss),
                  std::isnan(p.validation) ? "" : fmt::format("  valid {} {}", metric_, shown_metric(p.validation)),
                  per_second(static_cast<double>(p.rows), p.seconds), left));
}

void EpochTable::epoch(const EpochRecord& record) {
  bar_.reset();
  if (!shown_ || record.epoch % every_ != 0) return;
  say("{:>5}  {:>14}", record.epoch, shown_metric(record.loss));
  if (validates_) say("  {:>14}", shown_metric(record.validation));
  say("  {:>10}\n", per_second(examples_, record.seconds));
  std::fflush(stdout);
}

}  // namespace fm
