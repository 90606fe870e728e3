#include <gradus/models/training/sampler.h>

#include <gradus/core/error.h>
#include <gradus/core/workers.h>
#include <gradus/models/training/detail/feature_columns.h>
#include <gradus/models/training/detail/feature_visits.h>
#include <gradus/models/training/detail/related_features.h>
#include <gradus/models/training/detail/sampler_loops.h>

#include <algorithm>
#include <cmath>
#include <cstring>
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

// How many features each column has; those behind `own` are taken out of it.
std::vector<std::int64_t> keep_own_features(std::vector<FeatureColumn>& columns, std::int64_t own) {
  std::vector<std::int64_t> out;
  for (FeatureColumn& column : columns) {
    out.push_back(std::ssize(column.features));
    std::erase_if(column.features, [&](Index i) { return i >= own; });
  }
  return out;
}

std::unique_ptr<Coordinates> coordinates_of(const ModelOptions& model, const LaneElements& elements,
                                            ParameterTable& table) {
  switch (model.kind) {
    case ModelKind::higher_order: return higher_order_coordinates(elements, table, model.order);
    case ModelKind::field_aware: return field_aware_coordinates(elements, table, model.field_of, model.factors);
    default: return fm_coordinates(elements, table, model.relations);
  }
}

bool same_bits(const Tensor& a, const Tensor& b) {
  const auto bytes = static_cast<std::size_t>(a.stored()) * sizeof(float);
  return a.type() == b.type() && (bytes == 0 || std::memcmp(a.data(), b.data(), bytes) == 0);
}

}  // namespace

struct Sampler::State {
  State(Session& of, const Model& model, const ModelOptions& options, const Rows& data,
        const SamplerOptions& sampler_options)
      : session(of),
        parameters(model.parameters),
        of_model(options),
        given(sampler_options),
        workers(given.threads),
        group(all_in_groups(given.group, features())),
        columns(columns_of(*data.x.pattern(), group)),
        of_group(keep_own_features(columns, data.x.dim(1))),
        elements(data.x, root_weights(data), columns,
                 options.kind == ModelKind::field_aware || ask_for_ones(data.x, options.relations)),
        table(features(), 1 + (parameters.size() > 2 ? parameters[2].shape()[1] : 0)),
        coordinates(coordinates_of(options, elements, table)),
        visits(elements, table, *coordinates, workers),
        predict(session.prepare(model.y_hat, {model.X})),
        mu(columns.size() * width(), static_cast<float>(given.prior.mu0)),
        lambda(mu.size()),
        e(visits.e()) {
    if (options.relations.rank() == 2) {
      rows.emplace(data.x, std::vector<float>(elements.root_weight().begin(), elements.root_weight().end()));
      related.emplace(*rows, options.relations);
    }
    const auto n = static_cast<std::size_t>(data.size());
    e = visits.by_element() ? of_last_column(visits.e()) : e.first(n);
    // Of pads 0.
    const auto& [mean, deviation] = options.target;
    y.resize(e.size());
    std::size_t row = 0;
    if (visits.by_element()) {
      std::vector<float> by_row(n + 1);
      for (const double target : data.y) by_row[row++] = static_cast<float>((target - mean) / deviation);
      const std::span<const Index> rows_of_e = of_last_column(elements.row());
      for (std::size_t at = 0; at < y.size(); ++at) y[at] = by_row[static_cast<std::size_t>(rows_of_e[at])];
      elements.forget_rows();
    } else {
      for (const double target : data.y) y[row++] = static_cast<float>((target - mean) / deviation);
    }
    if (options.task == Task::binary) row_errors.resize(e.size());
    weight_sum =
        elements.root_weight().empty() ? static_cast<double>(n) : dot(elements.root_weight(), elements.root_weight());
    if (!given.draws) find_penalties();
  }

  std::int64_t features() const { return parameters[1].shape()[0]; }
  std::int64_t own_features() const { return elements.X().dim(1); }
  template <class T>
  std::span<T> of_last_column(std::span<T> of_elements) const {
    const std::int64_t first = elements.first(columns.size() - 1);
    return of_elements.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(elements.elements() - first));
  }
  std::size_t width() const { return static_cast<std::size_t>(table.columns); }
  DrawStream stream(Purpose purpose) const { return {given.seed, static_cast<std::uint32_t>(iteration), purpose}; }

  void find_penalties();
  bool read_parameters();
  void assign_parameters();
  double find_errors();
  template <class Some>
  double sum_over_rows(const Some& some);
  double find_probit_errors(std::span<const float> y_hat);
  void move_w0(Draws& draws);
  void draw_hyperparameters();
  Priors priors_of(std::size_t column) const;
  void visit_columns();
  void visit_related();

  Session& session;
  std::vector<Expr> parameters;  // w0, W, V
  ModelOptions of_model;
  SamplerOptions given;
  Workers workers;
  std::vector<Index> group;            // [p]
  std::vector<FeatureColumn> columns;  // of X, by group
  std::vector<std::int64_t> of_group;  // features, those by way of relations among them
  LaneElements elements;
  std::optional<FeatureRows> rows;         // where there are relations
  std::optional<RelatedFeatures> related;  // whose features are behind those of X
  Tensor W, V;                             // as the session has them   [p], [p, k]
  ParameterTable table;
  std::unique_ptr<Coordinates> coordinates;
  FeatureVisits visits;
  PreparedRun predict;
  std::vector<float> mu, lambda;                  // of MCMC   [groups, C]
  std::vector<float> penalty_of_W, penalty_of_V;  // of ALS: lambda   [p]
  std::span<float> e;                             // of the visits: [n], or of elements, between iterations y_hat
  std::vector<float> y;                           // as e is
  double weight_sum;
  std::vector<double> row_errors;  // as e is, of binary tasks
  double w0 = 0, alpha = 1;
  double square_sum = 0;  // of e, of regression
  std::int64_t iteration = 0;
};

// The loss of the graph is sum(weight (y - y_hat)^2) / sum(weight) + l2 t^2 + ..., or has -ln Phi, whose part in
// expectation-maximization is (z - y_hat)^2 / 2. What is made small here is sum(weight e^2) + lambda t^2.
void Sampler::State::find_penalties() {
  const double halves = of_model.task == Task::binary ? 2 : 1;
  const std::vector<double> of_related = related ? related->weights() : std::vector<double>();
  std::vector<double> touching(static_cast<std::size_t>(features()), weight_sum);  // the weight of what it counts for
  if (of_model.l2_over == L2Over::touched) {
    std::copy(of_related.begin(), of_related.end(), std::fill_n(touching.begin(), own_features(), 0.0));
    const CsrPattern& pattern = *elements.X().pattern();
    const std::span<const float> root = elements.root_weight();
    for (std::size_t n = 0; n + 1 < pattern.row_start.size(); ++n)
      for (std::int64_t at = pattern.row_start[n]; at < pattern.row_start[n + 1]; ++at)
        touching[static_cast<std::size_t>(pattern.column[static_cast<std::size_t>(at)])] +=
            root.empty() ? 1 : std::pow(root[n], 2);
  }
  for (std::int64_t i = 0; i < features(); ++i) {
    const double weight = touching[static_cast<std::size_t>(i)];
    const double own = of_model.l2_features.empty() ? -1 : of_model.l2_features[static_cast<std::size_t>(i)];
    const auto penalty = [&](double l2, double l2_all) {
      return static_cast<float>(halves * (weight * (own < 0 ? l2 : own) + weight_sum * l2_all));
    };
    penalty_of_W.push_back(penalty(of_model.l2_W, of_model.l2_all_W));
    penalty_of_V.push_back(penalty(of_model.l2_V, of_model.l2_all_V));
  }
}

// Whether W or V are others than the last iteration left.
bool Sampler::State::read_parameters() {
  w0 = session.value(parameters[0]).item();
  const std::int64_t k = table.columns - 1;
  const Tensor now_W = session.value(parameters[1]);                                    // [p]
  const Tensor now_V = k > 0 ? session.value(parameters[2]) : Tensor::from<float>({});  // [p, k]
  if (same_bits(now_W, W) && same_bits(now_V, V)) return false;
  W = now_W;
  V = now_V;
  for (std::int64_t i = 0; i < features(); ++i) {
    table.row(i)[0] = W.span<float>()[static_cast<std::size_t>(i)];
    std::copy_n(V.span<float>().begin() + i * k, k, table.row(i) + 1);
  }
  return true;
}

void Sampler::State::assign_parameters() {
  constexpr std::int64_t at_a_time = 512;
  const std::int64_t k = table.columns - 1;
  const std::span<float> to_W = W.writable<float>(), to_V = V.writable<float>();  // whose copies the session has
  workers.for_each(features(), at_a_time, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      to_W[static_cast<std::size_t>(i)] = table.row(i)[0];
      std::copy_n(table.row(i) + 1, k, to_V.begin() + i * k);
    }
  });
  session.assign(parameters[0], Tensor::from(std::vector<float>{static_cast<float>(w0)}));
  session.assign(parameters[1], W);
  if (k > 0) session.assign(parameters[2], V);
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

// e anew from y_hat, which is the graph's, or, of pairs, was made anew as the last column was visited, so that rounding
// does not add up. Returns the mean error.
double Sampler::State::find_errors() {
  const Tensor predicted = visits.by_element() ? Tensor() : predict(elements.X());  // [n, 1]
  const std::span<const float> y_hat = visits.by_element() ? e : predicted.span<float>(), root = elements.root_weight();
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
      if (y[n] == 0) continue;  // a pad
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
  const std::span<const float> root = elements.root_weight();
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

Priors Sampler::State::priors_of(std::size_t column) const {
  if (!given.draws)
    return {.alpha = static_cast<float>(alpha), .penalty_w = penalty_of_W.data(), .penalty_v = penalty_of_V.data()};
  return {.alpha = static_cast<float>(alpha),
          .mu = &mu[column * width()],
          .lambda = &lambda[column * width()],
          .draws = stream(Purpose::parameters)};
}

void Sampler::State::visit_columns() {
  for (std::size_t g = 0; g < columns.size(); ++g) {
    const bool tells = visits.by_element() && g + 1 == columns.size();
    visits.visit(g, priors_of(g), tells ? std::optional(static_cast<float>(w0)) : std::nullopt);
  }
}

void Sampler::State::visit_related() {
  const std::size_t of_z = (width() + 3) / 4 * 4;
  std::vector<float> normals(given.draws ? static_cast<std::size_t>(related->count()) * of_z : 0);
  if (given.draws)
    draw_normals(stream(Purpose::parameters), static_cast<std::uint64_t>(visits.draws() + 3) / 4 * 4, normals);
  const auto read = [&](std::int64_t place, std::int64_t first, std::int64_t count, float* of_mu, float* of_lambda,
                        float* z) {
    const auto i = static_cast<std::size_t>(own_features() + related->order()[static_cast<std::size_t>(place)]);
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
  const bool are_others = s.read_parameters();
  // q is made anew each time, so that rounding does not add up.
  if (are_others || !s.visits.by_element()) s.coordinates->restart();
  if (are_others && s.visits.by_element()) s.visits.tell(s.columns.size() - 1, static_cast<float>(s.w0));
  const double error = s.find_errors();
  Draws draws(s.stream(Purpose::hyperparameters), 0);
  const auto& prior = s.given.prior;
  if (s.given.draws && s.of_model.task == Task::regression)
    s.alpha = draws.gamma((prior.a + static_cast<double>(s.elements.X().dim(0))) / 2) / ((prior.g + s.square_sum) / 2);
  s.move_w0(draws);
  if (s.given.draws) s.draw_hyperparameters();
  s.visit_columns();
  if (s.related) s.visit_related();
  s.assign_parameters();
  return error;
}

std::span<float> Sampler::means() { return state_->mu; }
double Sampler::alpha() const { return state_->alpha; }
std::vector<float> Sampler::errors() const {
  const State& s = *state_;
  if (!s.visits.by_element()) return {s.e.begin(), s.e.end()};
  const LaneElements again(s.elements.X(), {}, s.columns, false);  // with its rows
  std::vector<float> out(static_cast<std::size_t>(again.X().dim(0)) + 1);
  for (std::size_t at = 0; const Index row : s.of_last_column(again.row())) {
    out[static_cast<std::size_t>(row)] = s.e[at] - s.y[at];
    ++at;
  }
  out.pop_back();  // pads
  return out;
}

}  // namespace gradus
