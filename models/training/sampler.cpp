#include <gradus/models/training/sampler.h>

#include <gradus/core/error.h>
#include <gradus/core/workers.h>
#include <gradus/models/training/detail/coordinates.h>
#include <gradus/models/training/detail/draws.h>
#include <gradus/models/training/detail/feature_columns.h>
#include <gradus/models/training/detail/related_features.h>
#include <gradus/models/training/detail/sampler_loops.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

namespace gradus {

namespace {

std::vector<float> root_weights(const Rows& rows) {
  std::vector<float> out;
  if (rows.weighted())
    for (const double weight : rows.weight) out.push_back(static_cast<float>(std::sqrt(weight)));
  return out;
}

std::unique_ptr<Coordinates> coordinates_of(const ModelOptions& model, const FeatureRows& rows, ParameterTable& table) {
  switch (model.kind) {
    case ModelKind::higher_order: return higher_order_coordinates(rows, table, model.order);
    case ModelKind::field_aware: return field_aware_coordinates(rows, table, model.field_of, model.factors);
    default: return fm_coordinates(rows, table, model.relations);
  }
}

// Slopes of a feature that are kept while all of its parameters move: 65,536 rows of 20 factors, 5.5 MB. Beyond, Gram's
// matrix takes 1.3 times as long (measured up to 131,000 rows, with 2 MB of second cache), but no memory.
constexpr std::int64_t most_slopes_kept = 21 << 16;

}  // namespace

struct Sampler::State {
  State(Session& of, const Model& model, const ModelOptions& options, const Rows& data,
        const SamplerOptions& sampler_options)
      : session(of),
        parameters(model.parameters),
        of_model(options),
        given(sampler_options),
        workers(given.threads),
        rows(data.x, root_weights(data)),
        group(all_in_groups(given.group, features())),
        columns(columns_of(*data.x.pattern(), group)),
        table(features(), 1 + (parameters.size() > 2 ? parameters[2].shape()[1] : 0)),
        coordinates(coordinates_of(options, rows, table)),
        predict(session.prepare(model.y_hat, {model.X})),
        mu(columns.size() * width(), static_cast<float>(given.prior.mu0)),
        lambda(mu.size()),
        e(static_cast<std::size_t>(data.size())),
        row_errors(options.task == Task::binary ? e.size() : 0) {
    for (FeatureColumn& column : columns) {
      of_group.push_back(std::ssize(column.features));
      std::erase_if(column.features, [&](Index i) { return i >= rows.features(); });
    }
    if (options.relations.rank() == 2) related.emplace(rows, options.relations);
    const auto& [mean, deviation] = options.target;
    y.reserve(e.size());
    for (const double target : data.y) y.push_back(static_cast<float>((target - mean) / deviation));
    weight_sum =
        rows.root_weight().empty() ? static_cast<double>(y.size()) : dot(rows.root_weight(), rows.root_weight());
    if (!given.draws) find_penalties();
  }

  std::int64_t features() const { return parameters[1].shape()[0]; }
  std::size_t width() const { return static_cast<std::size_t>(table.columns); }
  DrawStream stream(Purpose purpose) const { return {given.seed, static_cast<std::uint32_t>(iteration), purpose}; }

  void find_penalties();
  void read_parameters();
  void assign_parameters();
  double find_errors();
  template <class Some>
  double sum_over_rows(const Some& some);
  double find_probit_errors(std::span<const float> y_hat);
  void move_w0(Draws& draws);
  void draw_hyperparameters();
  void visit(const FeatureColumn& column, std::int64_t place);
  void visit(std::span<const Index> features, std::int64_t place, bool one_hot);
  void visit_by_gram(Index feature, const MoveParameters& moved, float* H);
  void visit_related();

  Session& session;
  std::vector<Expr> parameters;  // w0, W, V
  ModelOptions of_model;
  SamplerOptions given;
  Workers workers;
  FeatureRows rows;
  std::vector<float> y;
  double weight_sum;
  std::vector<Index> group;                // [p]
  std::vector<FeatureColumn> columns;      // of X, by group
  std::vector<std::int64_t> of_group;      // features, those by way of relations among them
  std::optional<RelatedFeatures> related;  // whose features are behind those of X
  ParameterTable table;
  std::unique_ptr<Coordinates> coordinates;
  PreparedRun predict;
  std::vector<float> mu, lambda;                  // of MCMC   [groups, C]
  std::vector<float> penalty_of_W, penalty_of_V;  // of ALS: lambda   [p]
  std::vector<float> e;                           // [n]
  std::vector<double> row_errors;                 // [n], of binary tasks
  double w0 = 0, alpha = 1;
  double square_sum = 0;  // of e, of regression
  std::int64_t iteration = 0;
};

// The loss of the graph is sum(weight (y - y_hat)^2) / sum(weight) + l2 t^2 + ..., or has -ln Phi, whose part in
// expectation-maximization is (z - y_hat)^2 / 2. What is made small here is sum(weight e^2) + lambda t^2.
void Sampler::State::find_penalties() {
  const double halves = of_model.task == Task::binary ? 2 : 1;
  const std::vector<double> of_related = related ? related->weights() : std::vector<double>();
  for (std::int64_t i = 0; i < features(); ++i) {
    double weight = weight_sum;
    if (of_model.l2_over == L2Over::touched && i >= rows.features()) {
      weight = of_related[static_cast<std::size_t>(i - rows.features())];
    } else if (of_model.l2_over == L2Over::touched) {
      weight = 0;
      for (const Index n : rows.rows(i))
        weight += rows.root_weight().empty() ? 1 : std::pow(rows.root_weight()[static_cast<std::size_t>(n)], 2);
    }
    const double own = of_model.l2_features.empty() ? -1 : of_model.l2_features[static_cast<std::size_t>(i)];
    const auto penalty = [&](double l2, double l2_all) {
      return static_cast<float>(halves * (weight * (own < 0 ? l2 : own) + weight_sum * l2_all));
    };
    penalty_of_W.push_back(penalty(of_model.l2_W, of_model.l2_all_W));
    penalty_of_V.push_back(penalty(of_model.l2_V, of_model.l2_all_V));
  }
}

void Sampler::State::read_parameters() {
  w0 = session.value(parameters[0]).item();
  const Tensor W = session.value(parameters[1]);                                 // [p]
  const Tensor V = table.columns > 1 ? session.value(parameters[2]) : Tensor();  // [p, k]
  for (std::int64_t i = 0; i < features(); ++i) {
    float* const t = table.row(i);
    t[0] = W.span<float>()[static_cast<std::size_t>(i)];
    std::copy_n(V.span<float>().begin() + i * (table.columns - 1), table.columns - 1, t + 1);
  }
}

void Sampler::State::assign_parameters() {
  const std::int64_t k = table.columns - 1;
  session.assign(parameters[0], Tensor::from(std::vector<float>{static_cast<float>(w0)}));
  session.assign(parameters[1], Tensor::make<float>({features()}, [&](std::span<float> W) {
                   for (std::int64_t i = 0; i < features(); ++i) W[static_cast<std::size_t>(i)] = table.row(i)[0];
                 }));  // [p]
  if (k > 0)
    session.assign(parameters[2], Tensor::make<float>({features(), k}, [&](std::span<float> V) {
                     for (std::int64_t i = 0; i < features(); ++i) std::copy_n(table.row(i) + 1, k, V.begin() + i * k);
                   }));  // [p, k]
}

// some(first, last) for stretches of the rows, at once; returns the sum of what it returns, in the order of the rows.
template <class Some>
double Sampler::State::sum_over_rows(const Some& some) {
  constexpr std::int64_t rows_at_a_time = 4096;
  std::vector<double> sums(static_cast<std::size_t>((std::ssize(e) + rows_at_a_time - 1) / rows_at_a_time));
  workers.for_each(std::ssize(e), rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
    sums[static_cast<std::size_t>(first / rows_at_a_time)] =
        some(static_cast<std::size_t>(first), static_cast<std::size_t>(last));
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

// e anew from the graph, so that rounding does not add up. Returns the mean error.
double Sampler::State::find_errors() {
  const Tensor predicted = predict(rows.x());  // [n, 1]
  const std::span<const float> y_hat = predicted.span<float>(), root = rows.root_weight();
  if (of_model.task == Task::binary) return find_probit_errors(y_hat);
  square_sum = sum_over_rows([&](std::size_t first, std::size_t last) {
    for (std::size_t n = first; n < last; ++n) e[n] = y_hat[n] - y[n];
    if (!root.empty())
      for (std::size_t n = first; n < last; ++n) e[n] *= root[n];
    const std::span<const float> here(&e[first], last - first);
    return dot(here, here);
  });
  return square_sum / weight_sum;
}

double Sampler::State::find_probit_errors(std::span<const float> y_hat) {
  constexpr std::int64_t rows_at_a_time = 1024;
  workers.for_each(std::ssize(e), rows_at_a_time, [&](std::int64_t first, std::int64_t last) {
    for (auto n = static_cast<std::size_t>(first); n < static_cast<std::size_t>(last); ++n) {
      // By symmetry both classes are cut at 0 from below.
      const double sign = y[n], mean = sign * static_cast<double>(y_hat[n]);
      Draws draws(stream(Purpose::targets), static_cast<std::uint32_t>(n));
      const double z = given.draws ? draws.normal_above_zero(mean) : mean_above_zero(mean);
      e[n] = static_cast<float>(sign * (mean - z));
      row_errors[n] = -log_normal_cdf(mean);
    }
  });
  return std::accumulate(row_errors.begin(), row_errors.end(), 0.0) / weight_sum;
}

void Sampler::State::move_w0(Draws& draws) {
  const std::span<const float> root = rows.root_weight();
  const double he = sum_over_rows([&](std::size_t first, std::size_t last) {
    const std::span<const float> here(&e[first], last - first);
    return root.empty() ? sum(here) : dot(root.subspan(first, last - first), here);
  });
  const double penalty = of_model.l2_w0 * weight_sum * (of_model.task == Task::binary ? 2 : 1);
  const double of_w0 = given.draws ? given.prior.lambda_w0 : penalty;
  const double precision = alpha * weight_sum + of_w0;
  const double delta =
      -(alpha * he + of_w0 * w0) / precision + (given.draws ? draws.normal() / std::sqrt(precision) : 0);
  w0 += delta;
  const auto by = static_cast<float>(delta);
  sum_over_rows([&](std::size_t first, std::size_t last) {
    for (std::size_t n = first; n < last; ++n) e[n] += root.empty() ? by : by * root[n];
    return 0;
  });
}

// lambda, then mu, of each group and parameter.
void Sampler::State::draw_hyperparameters() {
  std::vector<double> sums(mu.size()), squares(mu.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    const std::size_t at = static_cast<std::size_t>(group[i]) * width();
    const float* const t = table.row(static_cast<std::int64_t>(i));
    for (std::size_t c = 0; c < width(); ++c) {
      sums[at + c] += static_cast<double>(t[c]);
      squares[at + c] += static_cast<double>(t[c]) * static_cast<double>(t[c]);
    }
  }
  const auto& [a, g, b, mu0, lambda_w0] = given.prior;
  for (std::size_t at = 0; at < mu.size(); ++at) {
    const auto p = static_cast<double>(of_group[at / width()]);
    const auto m = static_cast<double>(mu[at]);
    Draws draws(stream(Purpose::hyperparameters), static_cast<std::uint32_t>(at + 1));
    const double spread = std::max(squares[at] - 2 * m * sums[at] + p * m * m, 0.0);  // sum (t - mu)^2
    const double l = draws.gamma((a + p + 1) / 2) / ((g + b * (m - mu0) * (m - mu0) + spread) / 2);
    lambda[at] = static_cast<float>(l);
    mu[at] = static_cast<float>((sums[at] + b * mu0) / (p + b) + draws.normal() / std::sqrt((p + b) * l));
  }
}

// `place`: how many features were visited before, in this iteration.
void Sampler::State::visit(const FeatureColumn& column, std::int64_t place) {
  constexpr std::int64_t at_a_time = 16;
  const auto some = [&](std::int64_t first, std::int64_t last) {
    visit(std::span(column.features).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first)),
          place + first, column.one_hot);
  };
  if (column.one_hot) return workers.for_each(std::ssize(column.features), at_a_time, some);
  for (std::int64_t first = 0; first < std::ssize(column.features); first += at_a_time)
    some(first, std::min(first + at_a_time, std::ssize(column.features)));
}

void Sampler::State::visit(std::span<const Index> features, std::int64_t place, bool one_hot) {
  // So many features side by side as have their slopes in the first cache, or nearly.
  constexpr std::int64_t few_slopes = 21 << 9;
  const std::int64_t few_rows = few_slopes / table.columns, most_rows = most_slopes_kept / table.columns;
  constexpr std::size_t side_by_side = 4;
  const auto count_of = [&](Index i) { return std::ssize(rows.rows(i)); };
  std::int64_t few = 0, most = padded(gram_rows);
  for (const Index i : features)
    if (const std::int64_t count = count_of(i); count <= few_rows)
      few = std::max(few, padded(count));
    else if (count <= most_rows)
      most = std::max(most, padded(count));
  const std::size_t of_slopes = (width() + 3) * static_cast<std::size_t>(few), of_z = (width() + 3) / 4 * 4;
  const auto room = [](std::size_t count) { return std::make_unique_for_overwrite<float[]>(count); };
  const auto H = room(std::max(side_by_side * of_slopes, (width() + 3) * static_cast<std::size_t>(most)));
  const auto e_here = room(static_cast<std::size_t>(std::max(most, static_cast<std::int64_t>(side_by_side) * few)));
  const auto z = room(features.size() * of_z);
  if (given.draws)
    draw_normals(stream(Purpose::parameters), static_cast<std::uint64_t>(place) * of_z,
                 {z.get(), features.size() * of_z});
  const auto stride = static_cast<std::size_t>(table.stride);
  std::vector<float> delta(side_by_side * stride), zeros(width()), penalty(side_by_side * width());
  std::vector<MoveParameters> moved;
  const auto to_move = [&](std::size_t feature, std::size_t at) {
    const Index i = features[feature];
    const std::size_t hyper = static_cast<std::size_t>(group[static_cast<std::size_t>(i)]) * width();
    float* const own_penalty = &penalty[at * width()];
    if (!given.draws) {
      std::fill_n(own_penalty, width(), penalty_of_V[static_cast<std::size_t>(i)]);
      *own_penalty = penalty_of_W[static_cast<std::size_t>(i)];
    }
    return MoveParameters{.H = &H[at * of_slopes],
                          .count = table.columns,
                          .index = rows.rows(i).data(),
                          .rows = count_of(i),
                          .e = e.data(),
                          .alpha = static_cast<float>(alpha),
                          .t = table.row(i),
                          .mu = given.draws ? &mu[hyper] : zeros.data(),
                          .lambda = given.draws ? &lambda[hyper] : own_penalty,
                          .z = given.draws ? &z[feature * of_z] : nullptr,
                          .delta = &delta[at * stride],
                          .e_here = &e_here[at * static_cast<std::size_t>(few)]};
  };
  for (std::size_t first = 0; first < features.size();) {
    moved.clear();
    for (std::size_t at = 0; at < side_by_side && first + at < features.size(); ++at) {
      const std::int64_t count = count_of(features[first + at]);
      if (at > 0 && (!one_hot || count > few_rows)) break;
      moved.push_back(to_move(first + at, at));
      if (count > most_rows) {
        visit_by_gram(features[first], moved.back(), H.get());
        break;
      }
      coordinates->slopes(features[first + at], 0, count, &H[at * of_slopes]);
      if (count > few_rows) break;
    }
    if (moved.front().rows <= most_rows) move_parameters(moved);
    for (const MoveParameters& each : moved) coordinates->move(features[first++], each.delta);
  }
}

// A feature of so many rows that their slopes are not kept: they are made twice, a few rows at a time. H has room for
// gram_rows of them.
void Sampler::State::visit_by_gram(Index feature, const MoveParameters& moved, float* H) {
  Gram gram(moved.count);
  std::fill_n(H + gram.count * gram_rows, (gram.side - gram.count) * padded(gram_rows), 0.0F);
  const auto by_rows = [&](const auto& some) {
    for (std::int64_t first = 0; first < moved.rows; first += gram_rows) {
      const std::int64_t count = std::min(gram_rows, moved.rows - first);
      coordinates->slopes(feature, first, count, H);
      some(moved.index + first, count);
    }
  };
  by_rows([&](const Index* index, std::int64_t count) { add_rows(gram, H, e.data(), index, count); });
  move_by_gram(gram, moved);
  by_rows(
      [&](const Index* index, std::int64_t count) { add_moves(H, moved.delta, moved.count, e.data(), index, count); });
}

void Sampler::State::visit_related() {
  const std::size_t of_z = (width() + 3) / 4 * 4;
  std::vector<float> normals(given.draws ? static_cast<std::size_t>(related->count()) * of_z : 0);
  if (given.draws)
    draw_normals(stream(Purpose::parameters), static_cast<std::uint64_t>(rows.features()) * of_z, normals);
  const auto read = [&](std::int64_t place, std::int64_t first, std::int64_t count, float* of_mu, float* of_lambda,
                        float* z) {
    const auto i = static_cast<std::size_t>(rows.features() + related->order()[static_cast<std::size_t>(place)]);
    if (!given.draws) {
      std::fill_n(of_lambda, count, first == 0 ? penalty_of_W[i] : penalty_of_V[i]);
      return;
    }
    const std::size_t hyper = static_cast<std::size_t>(group[i]) * width() + static_cast<std::size_t>(first);
    std::copy_n(&mu[hyper], count, of_mu);
    std::copy_n(&lambda[hyper], count, of_lambda);
    std::copy_n(&normals[static_cast<std::size_t>(place) * of_z + static_cast<std::size_t>(first)], count, z);
  };
  related->visit(table, e, coordinates->products(), {static_cast<float>(alpha), read}, workers);
}

Sampler::Sampler(Session& session, const Model& model, const ModelOptions& of_model, const Rows& rows,
                 const SamplerOptions& options) {
  if (of_model.kind == ModelKind::deep)
    fail<ValueError>(
        "Sampler: a deep model is given, which is not linear in its parameters; all others can be sampled");
  if (of_model.task != Task::regression && of_model.task != Task::binary)
    fail<ValueError>("Sampler: a {} task is given; regression or binary is expected", to_string(of_model.task));
  if (rows.x.layout() != Layout::csr || rows.x.dtype() != float32)
    fail<TypeError>("Sampler: x is {}; csr of float32 is expected", rows.x.type());
  if (of_model.task == Task::binary && rows.weighted())
    fail<ValueError>("Sampler: a binary task has weights, but draws of z have no place for them");
  if (const std::int64_t p = model.parameters[1].shape()[0]; !options.group.empty() && std::ssize(options.group) != p)
    fail<ValueError>("Sampler: group has {} entries but there are {} features", options.group.size(), p);
  rows.check();
  check_targets(of_model.task, rows.y);
  state_ = std::make_unique<State>(session, model, of_model, rows, options);
}

Sampler::~Sampler() = default;

double Sampler::iterate(std::int64_t iteration) {
  State& s = *state_;
  s.iteration = iteration;
  s.read_parameters();
  s.coordinates->restart();
  const double error = s.find_errors();
  Draws draws(s.stream(Purpose::hyperparameters), 0);
  const auto& prior = s.given.prior;
  if (s.given.draws && s.of_model.task == Task::regression)
    s.alpha = draws.gamma((prior.a + static_cast<double>(s.e.size())) / 2) / ((prior.g + s.square_sum) / 2);
  s.move_w0(draws);
  if (s.given.draws) s.draw_hyperparameters();
  std::int64_t place = 0;
  for (const FeatureColumn& column : s.columns) {
    s.visit(column, place);
    place += std::ssize(column.features);
  }
  if (s.related) s.visit_related();
  s.assign_parameters();
  return error;
}

std::span<float> Sampler::means() { return state_->mu; }
double Sampler::alpha() const { return state_->alpha; }
std::span<const float> Sampler::errors() const { return state_->e; }

}  // namespace gradus
