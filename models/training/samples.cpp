#include <gradus/models/training/samples.h>

#include <gradus/models/training/draws.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>

namespace gradus {

namespace {

constexpr std::string_view prefix = "samples/";

// A number for each row.   [n, 1]
template <class Of>
Tensor column(std::size_t rows, Of&& of) {
  return Tensor::make<float>({static_cast<std::int64_t>(rows), 1}, [&](std::span<float> out) {
    for (std::size_t n = 0; n < rows; ++n) out[n] = static_cast<float>(of(n));
  });
}

}  // namespace

Parameters mean_of(const std::vector<Parameters>& samples) {
  Parameters out;
  for (const auto& [name, first] : samples.front()) {
    std::vector<double> sum(static_cast<std::size_t>(first.size()));
    for (const Parameters& sample : samples)
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(sample.at(name).span<float>()[i]);
    out.emplace(name, Tensor::make<float>(first.shape(), [&](std::span<float> mean) {
                  for (std::size_t i = 0; i < sum.size(); ++i)
                    mean[i] = static_cast<float>(sum[i] / static_cast<double>(samples.size()));
                }));
  }
  return out;
}

std::map<std::string, Tensor> stacked(const std::vector<Parameters>& samples) {
  std::map<std::string, Tensor> out;
  if (samples.empty()) return out;
  for (const auto& [name, first] : samples.front()) {
    const Shape shape = first.shape().insert(0, std::ssize(samples));
    out.emplace(fmt::format("{}{}", prefix, name), Tensor::make<float>(shape, [&](std::span<float> all) {
                  auto to = all.begin();
                  for (const Parameters& sample : samples) {
                    const std::span<const float> from = sample.at(name).span<float>();
                    to = std::copy(from.begin(), from.end(), to);
                  }
                }));
  }
  return out;
}

std::vector<Parameters> unstacked(const std::map<std::string, Tensor>& tensors) {
  std::vector<Parameters> out;
  for (const auto& [name, all] : tensors) {
    const std::string parameter = sampled_parameter(name);
    if (parameter.empty()) continue;
    out.resize(static_cast<std::size_t>(all.dim(0)));
    for (std::int64_t s = 0; s < all.dim(0); ++s)
      out[static_cast<std::size_t>(s)].emplace(parameter, all.row_range(s, 1).reshape(all.shape().without(0)));
  }
  return out;
}

std::string sampled_parameter(const std::string& name) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : "";
}

std::int64_t kept_until(std::int64_t epoch, std::int64_t epochs, std::int64_t samples) {
  const std::int64_t first = epochs / 2, half = epochs - first;
  return epoch <= first ? 0 : (epoch - first) * std::min(samples, half) / half;
}

bool is_kept(std::int64_t epoch, std::int64_t epochs, std::int64_t samples) {
  return kept_until(epoch, epochs, samples) > kept_until(epoch - 1, epochs, samples);
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
