// How long the attacks go on.
#pragma once

namespace gradus {

struct Attack {
  int mutations = 1000;  // damaged files of all kinds together
  int kills = 30;
};
inline Attack attack;

}  // namespace gradus
