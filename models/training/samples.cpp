#include <gradus/models/training/samples.h>

#include <gradus/models/training/detail/draws.h>

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

// sum / count, in float32
Tensor divided(const Tensor& sum, std::int64_t count) {
  return Tensor::make<float>(sum.shape(), [&](std::span<float> out) {
    const std::span<const double> from = sum.span<double>();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(from[i] / static_cast<double>(count));
  });
}

// sum + x, in float64; a sum that does not exist yet is 0
Tensor added(const Tensor* sum, const Tensor& x) {
  return Tensor::make<double>(x.shape(), [&](std::span<double> out) {
    const std::span<const float> more = x.span<float>();
    for (std::size_t i = 0; i < out.size(); ++i)
      out[i] = (sum == nullptr ? 0 : sum->span<double>()[i]) + static_cast<double>(more[i]);
  });
}

void add_to(std::map<std::string, Tensor>& sums, const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    const auto found = sums.find(name);
    sums.insert_or_assign(name, added(found == sums.end() ? nullptr : &found->second, value));
  }
}

void stack(const std::vector<Parameters>& all, std::string_view prefix, std::map<std::string, Tensor>& to) {
  if (all.empty()) return;
  for (const auto& [name, first] : all.front())
    to.emplace(named(prefix, name),
               Tensor::make<float>(first.shape().insert(0, std::ssize(all)), [&, &of = name](std::span<float> out) {
                 auto at = out.begin();
                 for (const Parameters& each : all) {
                   const std::span<const float> from = each.at(of).span<float>();
                   at = std::copy(from.begin(), from.end(), at);
                 }
               }));
}

}  // namespace

Parameters mean_of(const Samples& samples) {
  std::map<std::string, Tensor> sums;
  for (const Parameters& mean : samples.means) add_to(sums, mean);
  Parameters out;
  for (const auto& [name, sum] : sums) out.emplace(name, divided(sum, samples.count()));
  return out;
}

std::map<std::string, Tensor> stacked(const Samples& samples) {
  std::map<std::string, Tensor> out;
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

SampleKeeper::SampleKeeper(std::int64_t epochs, std::int64_t samples)
    : first_(epochs / 10), rest_(epochs - first_), wanted_(std::min(samples, rest_)) {}

std::int64_t SampleKeeper::ended(std::int64_t epoch) const {
  return epoch <= first_ ? 0 : (epoch - first_) * wanted_ / rest_;
}

bool SampleKeeper::add(std::int64_t epoch, const Parameters& drawn) {
  if (epoch <= first_) return false;
  add_to(sums_, drawn);
  ++summed_;
  if (ended(epoch) == ended(epoch - 1)) return false;
  Parameters mean;
  for (const auto& [name, sum] : sums_) mean.emplace(name, divided(sum, summed_));
  samples_.means.push_back(std::move(mean));
  samples_.draws.push_back(drawn);
  sums_.clear();
  summed_ = 0;
  return true;
}

std::map<std::string, Tensor> SampleKeeper::state() const {
  std::map<std::string, Tensor> out = stacked(samples_);
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
