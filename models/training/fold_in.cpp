#include <gradus/models/training/model_growth.h>

#include <gradus/core/error.h>
#include <gradus/models/training/detail/coordinates.h>
#include <gradus/models/training/detail/draws.h>
#include <gradus/models/training/detail/gradient_folding.h>
#include <gradus/models/training/detail/item_scores.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

namespace gradus {

namespace {

// What the error of a row is a function of y_hat by.
enum class RowError : std::uint8_t { squared, logistic, probit };

struct Slopes {
  double error, first, second;  // and its derivatives by y_hat
};

Slopes slopes_of(RowError kind, double precision, double y, double y_hat) {
  const double m = y * y_hat;
  switch (kind) {
    case RowError::squared: {
      const double e = y_hat - y;
      return {precision * e * e / 2, precision * e, precision};
    }
    case RowError::logistic: {
      const double wrong = 1 / (1 + std::exp(m));
      return {m > 0 ? std::log1p(std::exp(-m)) : -m + std::log1p(std::exp(m)), -y * wrong, wrong * (1 - wrong)};
    }
    case RowError::probit: {
      const double log_p = log_normal_cdf(m);
      const double ratio = std::exp(-m * m / 2 - log_p) / std::sqrt(2 * std::numbers::pi);
      return {-log_p, -y * ratio, ratio * (ratio + m)};
    }
  }
  return {};
}

// A normal prior of the parameters w, v_1, ..., v_k of a feature.   [1 + k]
struct Prior {
  std::vector<double> mean, precision;
};

// Symmetric positive definite matrices [size, size]: a becomes the lower l with l l^T = a.
void factor(std::vector<double>& a, std::size_t size) {
  for (std::size_t j = 0; j < size; ++j)
    for (std::size_t i = j; i < size; ++i) {
      double sum = a[i * size + j];
      for (std::size_t f = 0; f < j; ++f) sum -= a[i * size + f] * a[j * size + f];
      a[i * size + j] = i == j ? std::sqrt(sum) : sum / a[j * size + j];
    }
}
// x becomes l^-1 x.
void solve_lower(const std::vector<double>& l, std::vector<double>& x) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) x[i] -= l[i * x.size() + j] * x[j];
    x[i] /= l[i * x.size() + i];
  }
}
// x becomes l^-T x.
void solve_upper(const std::vector<double>& l, std::vector<double>& x) {
  for (std::size_t i = x.size(); i-- > 0;) {
    for (std::size_t j = i + 1; j < x.size(); ++j) x[i] -= l[j * x.size() + i] * x[j];
    x[i] /= l[i * x.size() + i];
  }
}

// The parameters of one model, or sample, and what they tell of the rows.
class FoldIn {
 public:
  FoldIn(const Parameters& parameters, const FeatureRows& rows, std::span<const float> weight, std::vector<double> y,
         RowError kind, double precision)
      : rows_(rows), weight_(weight), y_(std::move(y)), kind_(kind), precision_(precision) {
    const auto V = parameters.find("V");
    k_ = V == parameters.end() ? 0 : static_cast<std::size_t>(V->second.dim(1));
    w0_ = parameters.at("w0").item();
    W_.assign(parameters.at("W").span<float>().begin(), parameters.at("W").span<float>().end());
    if (k_ > 0) V_.assign(V->second.span<float>().begin(), V->second.span<float>().end());
  }

  std::size_t width() const { return k_ + 1; }
  double parameter(Index feature, std::size_t c) const {
    const auto i = static_cast<std::size_t>(feature);
    return static_cast<double>(c == 0 ? W_[i] : V_[i * k_ + c - 1]);
  }
  void set(Index feature, std::size_t c, double value) {
    const auto i = static_cast<std::size_t>(feature);
    (c == 0 ? W_[i] : V_[i * k_ + c - 1]) = static_cast<float>(value);
  }

  // What the parameters tell of all rows, anew.
  void tell() {
    const auto p = std::ssize(W_);
    const std::vector<float> told = split_rows(
        rows_.x(), Tensor::from(W_), k_ > 0 ? Tensor::from(V_, {p, static_cast<std::int64_t>(k_)}) : Tensor());
    y_hat_.clear();
    q_.clear();
    for (std::size_t n = 0; n < told.size(); n += k_ + 1) {
      for (std::size_t f = 0; f < k_; ++f) q_.push_back(static_cast<double>(told[n + f]));
      y_hat_.push_back(w0_ + static_cast<double>(told[n + k_]));
    }
  }
  const std::vector<double>& y_hat() const { return y_hat_; }

  // Brings the feature's parameters to where the errors of its rows and its prior are least. Returns how far that was.
  double settle(Index feature, const Prior& prior) {
    double moved = 0;
    constexpr int most_steps = 30;
    for (int step = 0; step < (kind_ == RowError::squared ? 1 : most_steps); ++step) {
      std::vector<double> delta = curvature(feature, prior);
      solve_lower(matrix_, delta);
      solve_upper(matrix_, delta);
      const double before = error(feature, prior);
      double length = add(feature, delta, -1);
      // Newton's step may go too far where the error is not a square.
      for (int halved = 0; kind_ != RowError::squared && error(feature, prior) > before && halved < most_steps;
           ++halved) {
        for (double& each : delta) each /= 2;
        length = add(feature, delta, 1);
      }
      moved = std::max(moved, length);
      if (length < least_move) break;
    }
    return moved;
  }

  // A draw around where they are.
  void draw(Index feature, const Prior& prior, Draws& draws) {
    curvature(feature, prior);
    std::vector<double> z;
    for (std::size_t c = 0; c < width(); ++c) z.push_back(draws.normal());
    solve_upper(matrix_, z);
    add(feature, z, 1);
  }

  Parameters parameters(const Parameters& like) const {
    Parameters out = like;
    out.at("W") = Tensor::from(W_, like.at("W").shape());
    if (k_ > 0) out.at("V") = Tensor::from(V_, like.at("V").shape());
    return out;
  }

  static constexpr double least_move = 1e-5;

 private:
  // d y_hat / d (w, v) of a row.
  void row_slopes(Index feature, std::size_t at, std::vector<double>& h) const {
    const auto x = static_cast<double>(rows_.x(feature)[at]);
    const auto n = static_cast<std::size_t>(rows_.rows(feature)[at]);
    h[0] = x;
    for (std::size_t f = 0; f < k_; ++f) h[f + 1] = x * (q_[n * k_ + f] - x * parameter(feature, f + 1));
  }
  double weight(std::size_t row) const { return weight_.empty() ? 1 : static_cast<double>(weight_[row]); }

  // Puts the factor of the second derivative into matrix_; returns the first.
  std::vector<double> curvature(Index feature, const Prior& prior) {
    const std::size_t size = width();
    std::vector<double> first(size), h(size);
    matrix_.assign(size * size, 0);
    for (std::size_t at = 0; at < rows_.rows(feature).size(); ++at) {
      row_slopes(feature, at, h);
      const auto n = static_cast<std::size_t>(rows_.rows(feature)[at]);
      const Slopes slopes = slopes_of(kind_, precision_, y_[n], y_hat_[n]);
      for (std::size_t i = 0; i < size; ++i) {
        first[i] += weight(n) * slopes.first * h[i];
        const double scaled = weight(n) * slopes.second * h[i];
        for (std::size_t j = 0; j <= i; ++j) matrix_[i * size + j] += scaled * h[j];
      }
    }
    for (std::size_t i = 0; i < size; ++i) {
      first[i] += prior.precision[i] * (parameter(feature, i) - prior.mean[i]);
      matrix_[i * size + i] += prior.precision[i];
    }
    factor(matrix_, size);
    return first;
  }

  double error(Index feature, const Prior& prior) const {
    double sum = 0;
    for (const Index n : rows_.rows(feature)) {
      const auto row = static_cast<std::size_t>(n);
      sum += weight(row) * slopes_of(kind_, precision_, y_[row], y_hat_[row]).error;
    }
    for (std::size_t c = 0; c < width(); ++c)
      sum += prior.precision[c] * std::pow(parameter(feature, c) - prior.mean[c], 2) / 2;
    return sum;
  }

  // Moves the parameters by `times` delta; returns the greatest part of that.
  double add(Index feature, const std::vector<double>& delta, double times) {
    std::vector<double> h(width());
    for (std::size_t at = 0; at < rows_.rows(feature).size(); ++at) {
      row_slopes(feature, at, h);
      const auto n = static_cast<std::size_t>(rows_.rows(feature)[at]);
      for (std::size_t c = 0; c < width(); ++c) y_hat_[n] += times * delta[c] * h[c];
      for (std::size_t f = 0; f < k_; ++f)
        q_[n * k_ + f] += times * delta[f + 1] * static_cast<double>(rows_.x(feature)[at]);
    }
    double greatest = 0;
    for (std::size_t c = 0; c < width(); ++c) {
      set(feature, c, parameter(feature, c) + times * delta[c]);
      greatest = std::max(greatest, std::abs(delta[c]));
    }
    return greatest;
  }

  const FeatureRows& rows_;
  std::span<const float> weight_;  // [n]; empty: all alike
  std::vector<double> y_;          // in the units of y_hat
  RowError kind_;
  double precision_;
  std::size_t k_ = 0;
  double w0_ = 0;
  std::vector<float> W_, V_;       // [p], [p, k]
  std::vector<double> y_hat_, q_;  // [n], [n, k]
  std::vector<double> matrix_;     // [1 + k, 1 + k]
};

// What the other features of each field tell of a new one: of a sample of mcmc (Sampler's prior, in its mean).
std::vector<Prior> priors_of_fields(const FoldIn& model, const std::vector<Index>& field,
                                    const std::vector<bool>& is_new) {
  const auto fields = static_cast<std::size_t>(*std::max_element(field.begin(), field.end())) + 1;
  const std::size_t width = model.width();
  std::vector<double> count(fields), sum(fields * width), squares(fields * width);
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (is_new[i]) continue;
    const auto f = static_cast<std::size_t>(field[i]);
    ++count[f];
    for (std::size_t c = 0; c < width; ++c) {
      const double t = model.parameter(static_cast<Index>(i), c);
      sum[f * width + c] += t;
      squares[f * width + c] += t * t;
    }
  }
  std::vector<Prior> out(fields);
  for (std::size_t f = 0; f < fields; ++f)
    for (std::size_t c = 0; c < width; ++c) {
      const double mean = sum[f * width + c] / (count[f] + 1);
      const double spread = squares[f * width + c] - 2 * mean * sum[f * width + c] + count[f] * mean * mean;
      out[f].mean.push_back(mean);
      out[f].precision.push_back((2 + count[f]) / (1 + mean * mean + std::max(spread, 0.0)));
    }
  return out;
}

}  // namespace

FoldedIn fold_in(TrainedModel& model, const std::vector<bool>& is_new, const Rows& rows) {
  const Task task = model.options.task.value();
  if (model.columns.relations)
    fail<ValueError>(
        "the model has columns by way of others, which new categories have none of; `folded` brings them into its own");
  const bool has_closed_form = (model.options.kind == ModelKind::linear || model.options.kind == ModelKind::fm) &&
                               (task == Task::regression || task == Task::binary);
  if (!has_closed_form && model.samples.count() > 0)
    fail<ValueError>(
        "the samples of a {} model cannot take in new features, for which each would need a draw of its own; samples "
        "of linear and fm can, and models of other learners; train it anew, on all rows",
        to_string(model.options.kind));
  const std::vector<Index>& of_rows = rows.x.pattern()->active_columns()->row;
  std::vector<Index> features;
  std::copy_if(of_rows.begin(), of_rows.end(), std::back_inserter(features),
               [&](Index i) { return is_new[static_cast<std::size_t>(i)]; });
  std::vector<bool> holds_new(static_cast<std::size_t>(rows.size()), false);
  const FeatureRows all(rows.x, {});
  for (const Index i : features)
    for (const Index n : all.rows(i)) holds_new[static_cast<std::size_t>(n)] = true;
  std::vector<Index> taken;
  for (std::size_t n = 0; n < holds_new.size(); ++n)
    if (holds_new[n]) taken.push_back(static_cast<Index>(n));
  FoldedIn out{std::ssize(features), std::ssize(taken)};
  if (features.empty()) return out;
  const Rows used = rows.take(taken);
  if (!has_closed_form) return fold_in_by_gradients(model, features, rows, used);
  const FeatureRows by_feature(used.x, {});

  const ModelOptions of_model = model_options(model.options, model.columns);
  const TargetScale scale = model.target_scale;
  std::vector<double> y;
  for (const double target : used.y) y.push_back((target - scale.mean) / scale.deviation);
  const RowError kind = task == Task::regression ? RowError::squared
                        : of_model.probit        ? RowError::probit
                                                 : RowError::logistic;
  const std::span<const float> weight = used.weighted() ? used.weight.span<float>() : std::span<const float>();
  const bool sampled = model.samples.count() > 0;
  const double precision = sampled && kind == RowError::squared && model.noise > 0 ? 1 / model.noise : 1;

  // The penalty of a feature that so many rows hold: the loss is a mean, of errors that are not halved.
  const auto penalty_of = [&](Index i, std::size_t width) {
    const double halves = task == Task::binary ? 2 : 1;
    const double count = of_model.l2_over == L2Over::touched
                             ? static_cast<double>(by_feature.rows(i).size()) + model.options.l2_rows.value_or(0)
                         : model.rows > 0 ? static_cast<double>(model.rows)
                                          : 10 / std::max(of_model.l2_V, 1e-12);  // the usual
    constexpr double least = 1e-4;                                                // so that a solution there is
    Prior prior{std::vector<double>(width),
                std::vector<double>(width, std::max(halves * count * of_model.l2_V, least))};
    prior.precision[0] = std::max(halves * count * of_model.l2_W, least);
    return prior;
  };
  MeanOfSamples before(of_model.probit), after(of_model.probit);
  const auto tell = [&](const FoldIn& folding, MeanOfSamples& to) {
    to.add(Tensor::make<float>({std::ssize(taken), 1}, [&](std::span<float> told) {
      for (std::size_t n = 0; n < told.size(); ++n)
        told[n] = static_cast<float>(scale.mean + scale.deviation * folding.y_hat()[n]);
    }));
  };
  // `draws`: of a sample what it draws, else where the parameters are likeliest.
  const auto fold = [&](const Parameters& parameters, const Parameters& spread, bool is_told, std::int64_t draws) {
    FoldIn folding(parameters, by_feature, weight, y, kind, precision);
    for (const Index i : features)
      for (std::size_t c = 0; c < folding.width(); ++c) folding.set(i, c, 0);
    folding.tell();
    if (is_told) tell(folding, before);
    std::vector<Prior> of_fields;
    if (sampled)
      of_fields =
          priors_of_fields(FoldIn(spread, by_feature, weight, y, kind, precision), *model.columns.field, is_new);
    const auto prior_of = [&](Index i) {
      return sampled ? of_fields[static_cast<std::size_t>((*model.columns.field)[static_cast<std::size_t>(i)])]
                     : penalty_of(i, folding.width());
    };
    constexpr int most_sweeps = 50;
    double moved = 1;
    for (int sweep = 0; sweep < most_sweeps && moved > FoldIn::least_move; ++sweep) {
      moved = 0;
      for (const Index i : features) moved = std::max(moved, folding.settle(i, prior_of(i)));
    }
    if (is_told) tell(folding, after);
    if (draws >= 0)
      for (const Index i : features) {
        Draws of_feature({model.options.seed, static_cast<std::uint32_t>(draws), Purpose::parameters},
                         static_cast<std::uint32_t>(i));
        folding.draw(i, prior_of(i), of_feature);
      }
    return folding.parameters(parameters);
  };
  for (std::size_t s = 0; s < model.samples.means.size(); ++s) {
    const Parameters drawn = model.samples.draws[s];
    model.samples.means[s] = fold(model.samples.means[s], drawn, true, -1);
    model.samples.draws[s] = fold(drawn, drawn, false, static_cast<std::int64_t>(s));
  }
  model.parameters = sampled ? mean_of(model.samples) : fold(model.parameters, {}, true, -1);
  out.before = evaluate(task, used.y, before.estimates(), used.weight).main();
  out.after = evaluate(task, used.y, after.estimates(), used.weight).main();
  return out;
}

}  // namespace gradus
