// A sampler's visits of the features of X: each takes new values of its parameters, one after the other, given all
// else. The slopes of four parameters are made, for eight lanes of rows (lane_elements.h), and stay in the first cache
// while these move. Bits depend on the columns and the draws alone.
#pragma once

#include <gradus/core/workers.h>
#include <gradus/models/training/detail/coordinates.h>
#include <gradus/models/training/detail/draws.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace gradus {

/// What the parameters of a column's features are drawn by.
struct Priors {
  float alpha;
  const float *mu = nullptr, *lambda = nullptr;            // of MCMC, [C]
  const float *penalty_w = nullptr, *penalty_v = nullptr;  // of ALS: lambda of each feature   [p]
  std::optional<DrawStream> draws = {};                    // of MCMC
};

class FeatureVisits {
 public:
  /// What is given must outlive it.
  FeatureVisits(const LaneElements& elements, ParameterTable& table, Coordinates& coordinates, Workers& workers);

  /// e, y_hat - y, by row, and one number for pads; or, with Coordinates::partners, by element: then that of a row is
  /// where its element of the column is that was visited last.
  std::span<float> e() { return e_; }
  bool by_element() const { return !coordinates_.partners().empty(); }

  /// With e by element `w0` is given for the last column: what is left there is y_hat, anew from the parameters.
  void visit(std::size_t column, const Priors& priors, std::optional<float> w0 = {});
  /// With e by element: puts y_hat there, the bits that visit() would leave.
  void tell(std::size_t column, float w0);
  /// How many numbers of the stream of parameters the columns draw.
  std::int64_t draws() const { return draws_; }

 private:
  struct Room;
  template <class Some>
  void by_lanes(std::size_t column, const Some& some);
  template <class Some>
  void by_slopes(const Lanes& lanes, Room& room, const Some& some) const;
  void set_parameters(const Lanes& lanes, const Priors& priors, const float* normals, Room& room) const;
  void set_t(const Lanes& lanes, Room& room) const;
  float* read(const Lanes& lanes, bool in_place, Room& room);
  void write(const Lanes& lanes, const float* e);
  void move(const Lanes& lanes, const Priors& priors, std::optional<float> w0, Room& room);
  void move_by_gram(const Lanes& lanes, const Priors& priors, std::optional<float> w0, Room& room);
  float* begin_y_hat(const Lanes& lanes, float w0, const Room& room);
  void tell(const Lanes& lanes, float w0, Room& room);
  std::int64_t draws_of(const Lanes& lanes) const;
  std::int64_t most_steps() const;

  const LaneElements& elements_;
  ParameterTable& table_;
  Coordinates& coordinates_;
  Workers& workers_;
  std::vector<float> e_;                            // [n + 1], or [elements]
  std::vector<std::vector<std::int64_t>> draw_at_;  // by column, of each of its lanes: the number of its first draw
  std::int64_t draws_ = 0;
};

}  // namespace gradus
