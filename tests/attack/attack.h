// How long the attacks go on.
#pragma once

#include "../sanitized.h"

namespace gradus {

struct Attack {
  int mutations = 400;  // damaged files of all kinds together
  int kills = sanitized ? 5 : 30;
};
inline Attack attack;

}  // namespace gradus
