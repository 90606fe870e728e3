#include <gradus/models/training/samples.h>

#include <gradus/models/training/detail/draws.h>
#include <gradus/models/training/detail/scratch.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace gradus {

namespace {

constexpr std::string_view of_means = "samples/", of_draws = "draws/", of_sums = "stretch/";

std::string named(std::string_view prefix, const std::string& parameter) {
  return fmt::format("{}{}", prefix, parameter);
}

// A number for each row.   [n, 1]
template <class Of>
Tensor column(std::size_t rows, Of&& of) {
  return Tensor::make<float>({static_cast<std::int64_t>(rows), 1}, [&](std::span<float> out) {
    for (std::size_t n = 0; n < rows; ++n) out[n] = static_cast<float>(of(n));
  });
}

// to = sum / count
void divide(std::span<const double> sum, std::int64_t count, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<float>(sum[i] / static_cast<double>(count));
}

// sums += parameters, in float64; sums that do not exist yet are 0. Others may share those that do.
void add_to(std::map<std::string, Tensor>& sums, const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    Tensor& sum = sums.try_emplace(name).first->second;
    const bool is_new = sum.shape() != value.shape();
    if (is_new || !sum.unique()) {
      const Tensor before = sum;
      sum = Tensor::make<double>(value.shape(), [&](std::span<double> out) {
        if (is_new)
          std::fill(out.begin(), out.end(), 0);
        else
          std::copy_n(before.span<double>().begin(), out.size(), out.begin());
      });
    }
    const std::span<double> to = sum.writable<double>();
    const std::span<const float> more = value.span<float>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += static_cast<double>(more[i]);
  }
}

void stack(const std::vector<Parameters>& all, std::string_view prefix, TensorStacks& to) {
  for (const Parameters& each : all)
    for (const auto& [name, value] : each) to[named(prefix, name)].push_back(value);
}

}  // namespace

Parameters mean_of(const Samples& samples) {
  std::map<std::string, Tensor> sums;
  for (const Parameters& mean : samples.means) add_to(sums, mean);
  Parameters out;
  for (const auto& [name, sum] : sums)
    out.emplace(name, Tensor::make<float>(sum.shape(), [&, &of = sum](std::span<float> to) {
                  divide(of.span<double>(), samples.count(), to);
                }));
  return out;
}

TensorStacks stacked(const Samples& samples) {
  TensorStacks out;
  stack(samples.means, of_means, out);
  stack(samples.draws, of_draws, out);
  return out;
}

Samples unstacked(const std::map<std::string, Tensor>& tensors) {
  Samples out;
  for (const auto& [name, all] : tensors) {
    const std::string parameter = sampled_parameter(name);
    if (parameter.empty()) continue;
    std::vector<Parameters>& to = name.starts_with(of_means) ? out.means : out.draws;
    to.resize(static_cast<std::size_t>(all.dim(0)));
    for (std::int64_t s = 0; s < all.dim(0); ++s)
      to[static_cast<std::size_t>(s)].emplace(parameter, all.row_range(s, 1).reshape(all.shape().without(0)));
  }
  return out;
}

std::string sampled_parameter(const std::string& name) {
  for (const std::string_view prefix : {of_means, of_draws})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return "";
}

std::int64_t unsettled_epochs(std::int64_t epochs) { return std::min<std::int64_t>(epochs / 10, 10); }

SampleKeeper::SampleKeeper(std::int64_t epochs, std::int64_t samples, const std::string& scratch)
    : first_(unsettled_epochs(epochs)),
      rest_(epochs - first_),
      wanted_(std::min(samples, rest_)),
      scratch_(std::make_shared<Scratch>(scratch)) {}

void SampleKeeper::let_go() { scratch_->let_go(); }

std::int64_t SampleKeeper::ended(std::int64_t epoch) const {
  return epoch <= first_ ? 0 : (epoch - first_) * wanted_ / rest_;
}

// A tensor in its place among all samples, for which there is room from the first on: one by one they would lie
// scattered among what each epoch makes and drops, and take half as much memory again.
template <class Fill>
Tensor SampleKeeper::next_in(std::string_view prefix, const std::string& name, const Shape& shape, const Fill& fill) {
  const auto [room, is_new] = room_.try_emplace(named(prefix, name));
  if (is_new) room->second = scratch_->tensor({float32, shape.insert(0, wanted_), Layout::dense});
  const auto size = static_cast<std::size_t>(shape.size());
  fill(room->second.writable<float>().subspan(static_cast<std::size_t>(samples_.count()) * size, size));
  return room->second.row_range(samples_.count(), 1).reshape(shape);
}

bool SampleKeeper::add(std::int64_t epoch, const Parameters& drawn) {
  if (epoch <= first_) return false;
  add_to(sums_, drawn);
  ++summed_;
  if (ended(epoch) == ended(epoch - 1)) return false;
  scratch_->let_go();  // of the samples before
  Parameters mean, draw;
  for (const auto& [name, sum] : sums_) {
    mean.emplace(name, next_in(of_means, name, sum.shape(),
                               [&, &of = sum](std::span<float> to) { divide(of.span<double>(), summed_, to); }));
    draw.emplace(name, next_in(of_draws, name, sum.shape(), [&, &of = drawn.at(name)](std::span<float> to) {
                   std::copy_n(of.span<float>().begin(), to.size(), to.begin());
                 }));
  }
  samples_.means.push_back(std::move(mean));
  samples_.draws.push_back(std::move(draw));
  sums_.clear();
  summed_ = 0;
  return true;
}

std::map<std::string, Tensor> SampleKeeper::sums() const {
  std::map<std::string, Tensor> out;
  for (const auto& [name, sum] : sums_) out.emplace(named(of_sums, name), sum);
  return out;
}

std::map<std::string, Type> SampleKeeper::expected(std::int64_t epoch, const Parameters& like) const {
  std::map<std::string, Type> out;
  for (const auto& [name, value] : like) {
    if (ended(epoch) > 0)
      for (const std::string_view prefix : {of_means, of_draws})
        out.emplace(named(prefix, name), Type{float32, value.shape().insert(0, ended(epoch)), Layout::dense});
    if (epoch > first_ && ended(epoch) == ended(epoch - 1))
      out.emplace(named(of_sums, name), Type{float64, value.shape(), Layout::dense});
  }
  return out;
}

void SampleKeeper::restore(std::int64_t epoch, const std::map<std::string, Tensor>& state) {
  samples_ = unstacked(state);
  sums_.clear();
  for (const auto& [name, sum] : state)
    if (name.starts_with(of_sums)) sums_.emplace(name.substr(of_sums.size()), sum);
  for (summed_ = 0; epoch - summed_ > first_ && ended(epoch - summed_) == ended(epoch - summed_ - 1);) ++summed_;
}

Parameters parameters_of(Session& session, const Model& model) {
  Parameters out;
  for (const Expr& parameter : model.parameters) out.emplace(parameter.name(), session.value(parameter));
  return out;
}

void assign(Session& session, const Model& model, const Parameters& parameters) {
  for (const Expr& parameter : model.parameters) session.assign(parameter, parameters.at(parameter.name()));
}

void MeanOfSamples::add(const Tensor& told) {
  const std::span<const float> of_rows = told.span<float>();
  if (count_++ == 0) {
    sum_.resize(of_rows.size());
    squares_.resize(of_rows.size());
    if (probit_) others_.resize(of_rows.size());
  }
  for (std::size_t n = 0; n < of_rows.size(); ++n) {
    const auto x = static_cast<double>(of_rows[n]);
    const double prediction = probit_ ? normal_cdf(x) : x;
    sum_[n] += prediction;
    squares_[n] += prediction * prediction;
    if (probit_) others_[n] += normal_cdf(-x);
  }
}

Tensor MeanOfSamples::predictions() const {
  const auto count = static_cast<double>(count_);
  return column(sum_.size(), [&](std::size_t n) { return sum_[n] / count; });
}

Tensor MeanOfSamples::deviations() const {
  const auto count = static_cast<double>(count_);
  return column(sum_.size(), [&](std::size_t n) {
    const double mean = sum_[n] / count;
    return count_ < 2 ? 0 : std::sqrt(std::max(squares_[n] - count * mean * mean, 0.0) / (count - 1));
  });
}

Tensor MeanOfSamples::estimates() const {
  if (!probit_) return predictions();
  return column(sum_.size(), [&](std::size_t n) { return std::log(sum_[n] / others_[n]); });
}

}  // namespace gradus
