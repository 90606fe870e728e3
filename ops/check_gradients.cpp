// Central differences: d loss / d x_j is near (loss(x + h e_j) - loss(x - h e_j)) / 2h, with an error of h^2 times the
// third derivative and of the rounding of loss over h; in float64 with h = 1e-5 both are near 1e-10 for numbers near 1.
#include <gradus/ops/check_gradients.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/random.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

namespace gradus {

namespace {

void require_checkable(const Expr& y, std::span<const Expr> xs) {
  if (y.dtype() != float64) {
    fail<TypeError>("check_gradients: {} ({}) is {}; differences need float64: build the graph in float64", y.name(),
                    to_string(y.where()), to_string(y.dtype()));
  }
  for (const Expr& x : xs) {
    if (&x.graph() != &y.graph()) {
      fail<TypeError>("check_gradients: {} ({}) and {} ({}) belong to different graphs", y.name(), to_string(y.where()),
                      x.name(), to_string(x.where()));
    }
    if (x.kind() != Kind::placeholder && x.kind() != Kind::variable) {
      fail<TypeError>("check_gradients: {} ({}) is computed; x must be a placeholder or a variable", x.name(),
                      to_string(x.where()));
    }
    if (x.dtype() != float64) {
      fail<TypeError>("check_gradients: {} ({}) is {}; differences need float64: build the graph in float64", x.name(),
                      to_string(x.where()), to_string(x.dtype()));
    }
  }
}

// `tensor` with `amount` added to its stored element number `position`.
Tensor moved(const Tensor& tensor, std::int64_t position, double amount) {
  const auto from = tensor.span<double>();
  std::vector<double> numbers(from.begin(), from.end());
  numbers[static_cast<std::size_t>(position)] += amount;
  if (tensor.layout() != Layout::csr) return Tensor::from(numbers, tensor.shape());
  return Tensor::csr(tensor.pattern(), Tensor::from(numbers));
}

// Where stored element number `position` stands in the shape, row-major.
std::int64_t flat_index(const Tensor& tensor, std::int64_t position) {
  if (tensor.layout() != Layout::csr) return position;
  const CsrPattern& pattern = *tensor.pattern();
  const auto next = std::upper_bound(pattern.row_start.begin(), pattern.row_start.end(), position);
  const std::int64_t row = next - pattern.row_start.begin() - 1;
  return row * pattern.columns + pattern.column[static_cast<std::size_t>(position)];
}

// "X[2, 1]"; a scalar is its name alone.
std::string element_name(const Expr& x, const Shape& shape, std::int64_t flat) {
  if (shape.rank() == 0) return x.name();
  const auto strides = row_major_strides(shape);
  std::string index;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const std::int64_t stride = strides[static_cast<std::size_t>(axis)];
    index += fmt::format("{}{}", axis == 0 ? "" : ", ", flat / stride);
    flat %= stride;
  }
  return fmt::format("{}[{}]", x.name(), index);
}

// The loss as a function of the value of one x.
class Loss {
 public:
  Loss(Session& session, const Expr& loss, const Expr& x, const Feeds& feeds)
      : session_(session), loss_(loss), x_(x), feeds_(feeds.begin(), feeds.end()) {
    if (x.kind() == Kind::variable) {
      value_ = session.value(x);
      return;
    }
    fed_ =
        std::find_if(feeds_.begin(), feeds_.end(), [&x](const Feed& feed) { return same_node(feed.placeholder, x); });
    if (fed_ == feeds_.end()) {
      fail<FeedError>("check_gradients: {} ({}) is not fed", x.name(), to_string(x.where()));
    }
    value_ = fed_->value;
  }

  const Tensor& value() const { return value_; }

  double operator()(const Tensor& value) {
    if (x_.kind() == Kind::variable) {
      session_.assign(x_, value);
    } else {
      fed_->value = value;
    }
    return session_.run(loss_, feeds_).item();
  }

  // Also when a run throws, the session's variable is as it was.
  ~Loss() {
    if (x_.kind() == Kind::variable) session_.assign(x_, value_);
  }
  Loss(const Loss&) = delete;
  Loss& operator=(const Loss&) = delete;

 private:
  Session& session_;
  Expr loss_;
  Expr x_;
  std::vector<Feed> feeds_;
  std::vector<Feed>::iterator fed_;
  Tensor value_;
};

}  // namespace

GradientCheck check_gradients(Session& session, const Expr& y, std::span<const Expr> xs, const Feeds& feeds,
                              const GradientCheckOptions& options) {
  require_checkable(y, xs);
  // From 1/2 to 3/2: none near zero, where a wrong rule would hide, and no two alike.
  const Shape shape = session.run(y, feeds).shape();
  const Tensor weights = random_uniform(shape, {.low = 0.5, .high = 1.5, .seed = 1, .dtype = float64});
  const auto pinned = y.graph().pin(y.where());
  const Expr loss = reduce_sum(multiply(y.layout() == Layout::dense ? y : to_dense(y), weights));
  const std::vector<Expr> derivatives = gradients(loss, xs, Unconnected::zero);
  const std::vector<Tensor> analytic = session.run(derivatives, feeds);

  GradientCheck check;
  std::optional<double> worst;
  for (std::size_t i = 0; i < xs.size(); ++i) {
    Loss loss_of(session, loss, xs[i], feeds);
    const Tensor x = loss_of.value();
    if (analytic[i].shape() != x.shape()) {
      fail<TypeError>("check_gradients: the gradient of {} ({}) by {} is {}, but {} is {}", y.name(),
                      to_string(y.where()), xs[i].name(), to_string(analytic[i].shape()), xs[i].name(),
                      to_string(x.shape()));
    }
    const Tensor dense = analytic[i].to_dense();
    for (std::int64_t position = 0; position < x.stored(); ++position) {
      const Tensor up = moved(x, position, options.step), down = moved(x, position, -options.step);
      // The distance that was really walked: x + step is rounded.
      const double walked = up.stored_value(position) - down.stored_value(position);
      const double numeric = (loss_of(up) - loss_of(down)) / walked;
      const std::int64_t flat = flat_index(x, position);
      const double exact = dense.stored_value(flat);
      const double apart = std::abs(exact - numeric), size = std::max(std::abs(exact), std::abs(numeric));
      const bool finite = std::isfinite(exact) && std::isfinite(numeric);
      const double error = !finite     ? std::numeric_limits<double>::infinity()
                           : apart > 0 ? apart / std::max(size, options.atol / options.rtol)
                                       : 0.0;
      if (!finite || apart > std::max(options.atol, options.rtol * size)) check.ok = false;
      if (worst && error <= *worst) continue;
      worst = error;
      check.worst_error = error;
      check.report = fmt::format("{} ({}) by {}: analytic {:.6g}, numeric {:.6g}, relative error {:.0e}", y.name(),
                                 to_string(y.where()), element_name(xs[i], x.shape(), flat), exact, numeric, error);
    }
  }
  if (!worst) check.report = fmt::format("{} ({}): no elements to check", y.name(), to_string(y.where()));
  return check;
}

GradientCheck check_gradients(const Expr& y, std::span<const Expr> xs, const Feeds& feeds,
                              const GradientCheckOptions& options) {
  Session session(y.graph());
  return check_gradients(session, y, xs, feeds, options);
}

}  // namespace gradus
