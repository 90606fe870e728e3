// Exercise 9: the line that does nothing.
//
// The article begins with y_hat = tf.Variable(tf.zeros([n, 1])), and later sets y_hat = tf.add(linear_terms,
// interactions). The variable stays in the graph. Find such variables.
#include <gradus/gradus.h>
#include <string>
#include <vector>

#include "unsolved.h"
using namespace gradus;

namespace exercise {

// Returns the names of the variables of `g` on which `fetch` does not depend, in the order in which they were made.
inline std::vector<std::string> idle_variables(Graph& g, const Expr& fetch) {
  return todo<std::vector<std::string>>("idle_variables", g, fetch);
}

}  // namespace exercise
