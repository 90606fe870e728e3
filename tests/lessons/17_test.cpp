// Hint 1: m A_m = A_(m-1) P_1 - A_(m-2) P_2 + A_(m-3) P_3 - ..., with A_0 = 1: Newton's identities.
// Hint 2: A_1 = P_1; A_2 = (A_1 P_1 - P_2) / 2; A_3 = (A_2 P_1 - A_1 P_2 + P_3) / 3. What comes next?
// Hint 3: A_4 = (A_3 P_1 - A_2 P_2 + A_1 P_3 - P_4) / 4.
#include "lesson_test.h"

namespace exercise {

inline void check(const std::vector<double>& z, std::string_view hint) {
  double P[5] = {};
  for (const double one : z)
    for (int t = 1; t <= 4; ++t) P[t] += std::pow(one, t);
  double expected = 0;
  for (std::size_t i = 0; i < z.size(); ++i)
    for (std::size_t j = i + 1; j < z.size(); ++j)
      for (std::size_t k = j + 1; k < z.size(); ++k)
        for (std::size_t l = k + 1; l < z.size(); ++l) expected += z[i] * z[j] * z[k] * z[l];
  lessons::expect("A_4", fourth(P[1], P[2], P[3], P[4]), expected, hint);
}

CASE("one number") { check({lessons::Draw("one").between(1, 2)}, "the signs take turns"); }
CASE("four numbers") { check(lessons::Draw("four").many(4, 1, 2), "each product of four is found four times"); }
CASE("ten numbers") { check(lessons::Draw("ten").many(10), "Newton's identities"); }

}  // namespace exercise
