#include <gradus/models/training/detail/feature_visits.h>

#include <gradus/models/training/detail/sampler_loops.h>
#include <gradus/models/training/detail/sampler_moves.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace gradus {

namespace {

// Of lanes, which a thread takes.
constexpr std::int64_t at_a_time = 8;
// Numbers that are kept of a feature's rows while its parameters move, in all: 5.5 MB. Beyond, Gram's matrix takes 1.3
// times as long (measured up to 131,000 rows, with 2 MB of second cache), but no memory.
constexpr std::int64_t most_numbers = 21 << 16;

}  // namespace

// What a thread works in, for lanes of a length; parameters are in fours behind the first, as in rows of the table.
struct FeatureVisits::Room {
  Room(std::int64_t length, std::int64_t slopes, std::int64_t stride, std::int64_t draws)
      : normals(static_cast<std::size_t>(draws + 32)),
        numbers(std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(slopes + 8 * length + 40 * stride))) {
    float* next = numbers.get();
    const auto take = [&](std::int64_t count) { return std::exchange(next, next + count); };
    H = take(slopes);
    of_rows = take(8 * length);
    for (float** each : {&t, &mu, &lambda, &z, &delta}) *each = take(8 * stride);
  }

  std::vector<float> normals;  // of the lanes in their order, [C, 8] or [C] each; behind them zeros, which do not count
  std::unique_ptr<float[]> numbers;
  float* H;                            // [some, length, 8]
  float* of_rows;                      // [length, 8]
  float *t, *mu, *lambda, *z, *delta;  // [stride, 8]
};

FeatureVisits::FeatureVisits(const LaneElements& elements, ParameterTable& table, Coordinates& coordinates,
                             Workers& workers)
    : elements_(elements),
      table_(table),
      coordinates_(coordinates),
      workers_(workers),
      e_(by_element() ? static_cast<std::size_t>(elements.elements())
                      : static_cast<std::size_t>(elements.X().dim(0)) + 1),
      draw_at_(elements.columns()) {
  for (std::size_t g = 0; g < elements.columns(); ++g)
    for (const Lanes& lanes : elements.lanes(g)) {
      draw_at_[g].push_back(draws_);
      draws_ += draws_of(lanes);
    }
}

// In fours, as draw_normals has them.
std::int64_t FeatureVisits::draws_of(const Lanes& lanes) const {
  return lanes.of_one_feature() ? (table_.columns + 3) / 4 * 4 : 8 * table_.columns;
}

// Beside slopes there are e, or y_hat, and what coordinates read.
std::int64_t FeatureVisits::most_steps() const { return most_numbers / (8 * (coordinates_.factors_at_once() + 5)); }

// some(lanes, the place of the first of them in the column, room) for all of a column, side by side where no row has
// two of its features.
template <class Some>
void FeatureVisits::by_lanes(std::size_t column, const Some& some) {
  const std::span<const Lanes> all = elements_.lanes(column);
  const auto some_lanes = [&](std::int64_t first, std::int64_t last) {
    const auto here = all.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(last - first));
    std::int64_t length = gram_steps, draws = 0;
    for (const Lanes& lanes : here) {
      if (lanes.length <= most_steps()) length = std::max(length, lanes.length);
      draws += draws_of(lanes);
    }
    const std::int64_t side = (table_.stride + 3) / 4 * 4;
    Room room(length, 8 * std::max(length * coordinates_.factors_at_once(), gram_steps * side), table_.stride, draws);
    some(here, static_cast<std::size_t>(first), room);
  };
  const std::int64_t count = std::ssize(all);
  if (elements_.is_one_hot(column)) return workers_.for_each(count, at_a_time, some_lanes);
  for (std::int64_t first = 0; first < count; first += at_a_time) some_lanes(first, std::min(first + at_a_time, count));
}

void FeatureVisits::visit(std::size_t column, const Priors& priors, std::optional<float> w0) {
  by_lanes(column, [&](std::span<const Lanes> all, std::size_t place, Room& room) {
    const std::int64_t first_draw = draw_at_[column][place];
    if (priors.draws)
      draw_normals(*priors.draws, static_cast<std::uint64_t>(first_draw),
                   std::span(room.normals).first(room.normals.size() - 32));
    for (std::size_t i = 0; i < all.size(); ++i) {
      set_parameters(all[i], priors, &room.normals[static_cast<std::size_t>(draw_at_[column][place + i] - first_draw)],
                     room);
      if (all[i].length > most_steps())
        move_by_gram(all[i], priors, w0, room);
      else
        move(all[i], priors, w0, room);
      coordinates_.move(all[i], room.delta);
    }
  });
}

void FeatureVisits::set_t(const Lanes& lanes, Room& room) const {
  std::array<const float*, 8> rows;
  for (std::size_t j = 0; j < 8; ++j) {
    rows[j] = table_.row(lanes.feature[j]) + 1;
    room.t[j] = rows[j][-1];
  }
  turn(rows, table_.stride - 1, room.t + 8);
}

// t, mu, lambda and z of the lanes; behind the last parameter they are zeros, which do not move.
void FeatureVisits::set_parameters(const Lanes& lanes, const Priors& priors, const float* normals, Room& room) const {
  set_t(lanes, room);
  const auto set = [&](float* to, const auto& of) {
    for (std::int64_t c = 0; c < table_.stride; ++c) std::fill_n(to + 8 * c, 8, c < table_.columns ? of(c) : 0);
  };
  if (priors.draws) {
    set(room.mu, [&](std::int64_t c) { return priors.mu[c]; });
    set(room.lambda, [&](std::int64_t c) { return priors.lambda[c]; });
    if (lanes.of_one_feature())
      set(room.z, [&](std::int64_t c) { return normals[c]; });
    else
      std::copy_n(normals, 8 * table_.stride, room.z);
    return;
  }
  set(room.mu, [](std::int64_t) { return 0.0F; });
  for (std::int64_t j = 0; j < 8; ++j) {
    const Index feature = lanes.feature[static_cast<std::size_t>(j)];
    for (std::int64_t c = 0; c < table_.stride; ++c)
      room.lambda[8 * c + j] = c >= table_.columns ? 0 : (c == 0 ? priors.penalty_w : priors.penalty_v)[feature];
  }
}

// some(first, count) for all parameters, whose slopes are in room.H then.
template <class Some>
void FeatureVisits::by_slopes(const Lanes& lanes, Room& room, const Some& some) const {
  const auto slopes = [&](std::int64_t first, std::int64_t count) {
    coordinates_.slopes(lanes, first, count, room.H);
    some(first, count);
  };
  slopes(0, 1);
  const std::int64_t at_once = coordinates_.factors_at_once();
  for (std::int64_t c = 1; c < table_.stride; c += at_once) slopes(c, std::min(at_once, table_.stride - c));
}

// e of the lanes' rows, where it may be written to.
float* FeatureVisits::read(const Lanes& lanes, bool in_place, Room& room) {
  float* const out = in_place ? e_.data() + lanes.first : room.of_rows;
  const Index* const from = (by_element() ? coordinates_.partners() : elements_.row()).data() + lanes.first;
  for (std::int64_t at = 0; at < 8 * lanes.length; ++at) out[at] = e_[static_cast<std::size_t>(from[at])];
  return out;
}

void FeatureVisits::write(const Lanes& lanes, const float* e) {
  if (by_element()) return;  // where it is in place
  const Index* const to = elements_.row().data() + lanes.first;
  const auto n = static_cast<Index>(elements_.X().dim(0));
  for (std::int64_t at = 0; at < 8 * lanes.length; ++at)
    if (to[at] != n) e_[static_cast<std::size_t>(to[at])] = e[at];
}

// y_hat, in its place, without what the lanes' features give; 0 of pads. room.H has the slopes of weights, which are 1.
float* FeatureVisits::begin_y_hat(const Lanes& lanes, float w0, const Room& room) {
  float* const y_hat = e_.data() + lanes.first;
  coordinates_.rest(lanes, y_hat);
  for (std::int64_t at = 0; at < 8 * lanes.length; ++at) y_hat[at] = (y_hat[at] + w0) * room.H[at];
  return y_hat;
}

void FeatureVisits::move(const Lanes& lanes, const Priors& priors, std::optional<float> w0, Room& room) {
  float* const e = read(lanes, by_element() && !w0, room);
  float* y_hat = nullptr;
  by_slopes(lanes, room, [&](std::int64_t first, std::int64_t count) {
    const auto move = [&](std::int64_t c, void (*loop)(const MoveParameters&)) {
      const std::int64_t at = 8 * (first + c);
      loop({.H = room.H + 8 * lanes.length * c,
            .length = lanes.length,
            .of_one_feature = lanes.of_one_feature(),
            .e = e,
            .alpha = priors.alpha,
            .t = room.t + at,
            .mu = room.mu + at,
            .lambda = room.lambda + at,
            .z = priors.draws ? room.z + at : nullptr,
            .delta = room.delta + at});
    };
    if (first == 0) {
      move(0, move_one);
      if (w0) y_hat = begin_y_hat(lanes, *w0, room);
    } else {
      for (std::int64_t c = 0; c < count; c += 4) move(c, move_four);
    }
    if (!w0) return;
    for (std::int64_t at = 8 * first; at < 8 * (first + count); ++at) room.t[at] += room.delta[at];
    add_products(room.H, room.t + 8 * first, count, lanes.length, y_hat);
  });
  write(lanes, e);
}

// A feature of so many rows that nothing of them is kept: their slopes are made twice, a few at a time.
void FeatureVisits::move_by_gram(const Lanes& lanes, const Priors& priors, std::optional<float> w0, Room& room) {
  Gram gram(table_.columns);
  const auto by_tiles = [&](const auto& some) {
    for (std::int64_t step = 0; step < lanes.length; step += gram_steps) some(lanes.part(step, gram_steps));
  };
  by_tiles([&](const Lanes& tile) {
    const std::int64_t column = 8 * tile.length;
    coordinates_.slopes(tile, 0, 1, room.H);
    if (table_.columns > 1) coordinates_.slopes(tile, 1, table_.stride - 1, room.H + column);
    std::fill_n(room.H + column * table_.stride, column * std::max<std::int64_t>(gram.side - table_.stride, 0), 0.0F);
    add_rows(gram, room.H, read(tile, false, room), tile.length);
  });
  std::fill_n(room.delta, 8 * table_.stride, 0.0F);
  gradus::move_by_gram(gram, {.H = nullptr,
                              .length = 0,
                              .of_one_feature = true,
                              .e = nullptr,
                              .alpha = priors.alpha,
                              .t = room.t,
                              .mu = room.mu,
                              .lambda = room.lambda,
                              .z = priors.draws ? room.z : nullptr,
                              .delta = room.delta});
  for (std::int64_t at = 0; at < 8 * table_.stride; ++at) room.t[at] += room.delta[at];
  by_tiles([&](const Lanes& tile) {
    if (w0) return tell(tile, *w0, room);
    float* const e = read(tile, by_element(), room);
    by_slopes(tile, room, [&](std::int64_t first, std::int64_t count) {
      add_products(room.H, room.delta + 8 * first, count, tile.length, e);
    });
    write(tile, e);
  });
}

void FeatureVisits::tell(std::size_t column, float w0) {
  by_lanes(column, [&](std::span<const Lanes> all, std::size_t, Room& room) {
    for (const Lanes& lanes : all) {
      set_t(lanes, room);
      const std::int64_t steps = lanes.length > most_steps() ? gram_steps : lanes.length;
      for (std::int64_t step = 0; step < lanes.length; step += steps) tell(lanes.part(step, steps), w0, room);
    }
  });
}

void FeatureVisits::tell(const Lanes& lanes, float w0, Room& room) {
  float* y_hat = nullptr;
  by_slopes(lanes, room, [&](std::int64_t first, std::int64_t count) {
    if (first == 0) y_hat = begin_y_hat(lanes, w0, room);
    add_products(room.H, room.t + 8 * first, count, lanes.length, y_hat);
  });
}

}  // namespace gradus
