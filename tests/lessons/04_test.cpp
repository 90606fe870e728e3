// Hint 1: Forwards, one element of x was copied to several places. Backwards, what comes from those places is added up.
// Hint 2: Go through the elements of dy. For each, find the element of x that was copied there, and add dy to it.
// Hint 3: Align the shapes at their ends. The index along an axis of x is dy's own, or 0 where x has size 1 there; axes
//         that x does not have are left out.
#include "lesson_test.h"

namespace exercise {

inline void check(std::string_view test, const Dims& dy_shape, const Dims& shape, std::string_view hint) {
  lessons::Draw draw(test);
  gradus::Graph g;
  const gradus::Expr x = g.placeholder("x", gradus::Shape(shape), gradus::float64);
  const gradus::Tensor dy = draw.tensor(gradus::Shape(dy_shape));
  gradus::Session session(g);
  const gradus::Expr dx = gradients(reduce_sum(broadcast_to(x, dy.shape()) * dy), {x})[0];
  const gradus::Tensor expected = session.run(dx, {{x, gradus::zeros(x.shape(), gradus::float64)}});
  const auto values = dy.span<double>();
  const std::vector<double> found = unbroadcast({values.begin(), values.end()}, dy_shape, shape);
  lessons::expect("how many values dx has", static_cast<double>(found.size()), static_cast<double>(expected.size()),
                  "the gradient has the shape of x");
  lessons::expect(fmt::format("{} back to {}", dy.shape(), x.shape()), gradus::Tensor::from(found, x.shape()), expected,
                  hint);
}

CASE("nothing was broadcast") { check("nothing", {3, 2}, {3, 2}, "dy itself"); }
CASE("an axis that x does not have") { check("leading", {5, 16}, {16}, "every copy adds its part: a sum, not a mean"); }
CASE("a column") { check("column", {4, 3}, {4, 1}, "an axis of size 1 was broadcast too"); }
CASE("a row that says so") { check("row", {4, 3}, {1, 3}, "an axis of size 1 was broadcast too"); }
CASE("one number") { check("number", {4, 3}, {}, "a number was copied everywhere"); }
CASE("a shape that is drawn") {
  lessons::Draw draw("shape");
  Dims dy_shape, shape;
  for (int axis = 0; axis < 4; ++axis) {
    dy_shape.push_back(draw.whole(1, 4));
    if (axis > 0) shape.push_back(draw.whole(0, 1) == 0 ? 1 : dy_shape.back());
  }
  check("drawn", dy_shape, shape, "axes of size 1 between others");
}

}  // namespace exercise
