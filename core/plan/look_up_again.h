// A pass: the step that gives rows of a table their new values looks the old ones up in the table itself, whose lines
// it is about to write, where another look-up of them is for what is computed before. So those need not be kept for it.
#pragma once

#include <gradus/core/plan/draft.h>

namespace gradus {

Draft look_up_again(const Draft& draft);

}  // namespace gradus
