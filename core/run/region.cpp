#include <gradus/core/run/region.h>

#include <gradus/core/at.h>
#include <gradus/core/kernel/kernel.h>
#include <gradus/core/plan/arena.h>
#include <gradus/core/tensor/table_rows.h>

#include <algorithm>
#include <cstring>

namespace gradus {

namespace {

constexpr std::int64_t most_pieces = Recorder::most_lanes - 1;
constexpr std::int64_t piece_bytes = 1 << 18;  // what a piece reads and writes at the least
constexpr std::int64_t few_bytes = 1 << 20;    // in all: less is not worth another thread

bool is_sum(const Tiles& tiles) { return tiles.gives == Tiles::Gives::sum || tiles.gives == Tiles::Gives::accumulated; }

template <class T>
void add(T* y, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}

}  // namespace

Region::Region(const Program& program, const Schedule& schedule, const Group& group, const MemoryPlan& memory,
               std::vector<Value>& values, WorkingMemory& working, std::size_t& growing)
    : program_(program),
      memory_(memory),
      values_(values),
      active_in_(group.active_in),
      rows_(group.rows),
      tile_rows_(group.tile_rows),
      working_(working) {
  for (const int id : group.nodes) {
    const int table = memory.scattered[at(id)];
    members_.push_back({id, schedule.tiles[at(id)], table >= 0 ? &values[at(table)] : nullptr, growing++});
  }
  for (int m = 0; m < size(); ++m) member_of_[members_[at(m)].node] = m;

  // Where results that only the region needs lie, over the members' order. What a kernel is given stays to its end.
  std::vector<int> last_use(members_.size(), -1);
  std::vector<int> kernel_of(members_.size(), -1);
  for (std::size_t k = 0; k < group.kernels.size(); ++k)
    std::fill_n(kernel_of.begin() + static_cast<std::ptrdiff_t>(group.kernels[k].first), group.kernels[k].count,
                static_cast<int>(k));
  std::vector<bool> read_outside(members_.size(), false);  // the kernel that it is in
  for (int m = 0; m < size(); ++m) {
    for_each_read(program, node(members_[at(m)].node), [&](int, int root) {
      const int k = member_of(root);
      if (k < 0) return;
      int use = m;
      if (kernel_of[at(k)] != kernel_of[at(m)] || kernel_of[at(m)] < 0) {
        read_outside[at(k)] = true;
        if (kernel_of[at(m)] >= 0) {
          const Group::Stretch& stretch = group.kernels[at(kernel_of[at(m)])];
          use = static_cast<int>(stretch.first + stretch.count) - 1;
        }
      }
      last_use[at(k)] = std::max(last_use[at(k)], use);
    });
  }
  offset_.assign(members_.size(), -1);
  std::vector<std::vector<int>> dying(members_.size());
  for (int m = 0; m < size(); ++m) dying[at(std::max(m, last_use[at(m)]))].push_back(m);
  Arena arena;
  const auto bytes_of = [&](int m) {
    return Arena::whole_lines(tile_rows_ * row_bytes_of(node(members_[at(m)].node).type));
  };
  // Whether member m may write over k, which it reads last: as it could alone, and both or neither in the one kernel.
  const auto takes_over = [&](int m, int k) {
    bool may = offset_[at(k)] >= 0 && kernel_of[at(k)] == kernel_of[at(m)];
    const ProgramNode& writer = node(members_[at(m)].node);
    for_each_read(program, writer, [&](int i, int root) {
      if (member_of(root) == k) may = may && may_overwrite(program, writer, i);
    });
    return may;
  };
  for (int m = 0; m < size(); ++m) {
    const Member& member = members_[at(m)];
    const Type& type = node(member.node).type;
    const bool kept = memory.kept[at(member.node)];
    if (is_sum(member.tiles)) {
      sums_.push_back(m);
      sum_bytes_ += type.shape.size() * static_cast<std::int64_t>(size_of(type.dtype));
    } else {
      constexpr std::int64_t csr_bytes = 16;  // a guess
      row_traffic_ += type.layout == Layout::csr ? csr_bytes : row_bytes_of(type);
      if (!kept && type.layout != Layout::csr) {
        std::vector<int>& free = dying[at(m)];
        const auto given = std::find_if(free.begin(), free.end(), [&](int k) { return takes_over(m, k); });
        offset_[at(m)] = given != free.end() ? offset_[at(*given)] : arena.take(bytes_of(m));
        if (given != free.end()) free.erase(given);
      }
      if (kept && along_held_rows()) whole_rows_.push_back(m);
    }
    for (const int k : dying[at(m)])
      if (offset_[at(k)] >= 0) arena.give(offset_[at(k)], bytes_of(k));
  }
  bytes_ = arena.bytes();
  form_kernels(group, read_outside);
  if (!along_held_rows()) choose_pieces();
}

// As many as the work is worth: a piece costs clearing and adding its sums, and a thread its waking.
void Region::choose_pieces() {
  const std::int64_t tiles = (rows_ + tile_rows_ - 1) / tile_rows_;
  const std::int64_t bytes = rows_ * row_traffic_;
  pieces_used_ = std::clamp<std::int64_t>(bytes < few_bytes ? 1 : bytes / (16 * sum_bytes_ + piece_bytes), 1,
                                          std::clamp<std::int64_t>(tiles, 1, most_pieces));
  while (static_cast<std::int64_t>(pieces_.size()) < pieces_used_) make_piece();
}

int Region::member_of(int root) const {
  const auto found = member_of_.find(root);
  return found == member_of_.end() ? -1 : found->second;
}

Type Region::cut(Type type) const {
  if (!along_held_rows()) type.shape = cut_as_one(type.shape, rows_);
  return type;
}

std::int64_t Region::row_bytes_of(const Type& type) const {
  const std::int64_t rows = along_held_rows() ? type.shape[0] : rows_;
  return type.shape.size() / std::max<std::int64_t>(1, rows) * static_cast<std::int64_t>(size_of(type.dtype));
}

void Region::make_piece() {
  Piece piece;
  std::unordered_map<int, Value*> place;  // by node
  const auto new_value = [&](int id, const Type& type) {
    piece.values.push_back(std::make_unique<Value>());
    Value* value = piece.values.back().get();
    value->type = type;
    place[id] = value;
    return value;
  };
  // The tile of node `id`, which may be a view, and is that of a result of the region or of a tensor outside it.
  const auto tile_of = [&](int id) {
    if (const auto made = place.find(id); made != place.end()) return made->second;
    Type type = cut(node(id).type);
    const std::int64_t unit = along_held_rows() ? 1 : type.shape[0] / rows_;
    if (!along_held_rows()) type.shape = type.shape.with(0, tile_rows_ * unit);
    Value* tile = new_value(id, type);
    const int m = member_of(program_.root(id));
    if (m >= 0 && offset_[at(m)] >= 0) {
      piece.own.push_back({tile, unit, offset_[at(m)]});
    } else if (m >= 0 && type.layout == Layout::csr) {
      piece.own.push_back({tile, unit, -1});
    } else {
      piece.slices.push_back({tile, &values_[at(program_.root(id))], unit, row_bytes_of(node(id).type)});
    }
    return tile;
  };
  piece.tasks.reserve(members_.size());
  for (const Member& member : members_) {
    Task& task = piece.tasks.emplace_back();
    const ProgramNode& n = node(member.node);
    std::vector<Type> types;
    for (int i = 0; i < static_cast<int>(n.inputs.size()); ++i) {
      const int input = n.inputs[at(i)];
      const bool sliced = ((member.tiles.sliced >> static_cast<unsigned>(i)) & 1U) != 0 && n.op->reads(i);
      task.inputs.push_back(sliced ? tile_of(input) : &values_[at(input)]);
      types.push_back(task.inputs.back()->type);
    }
    if (!is_sum(member.tiles)) {
      task.output = tile_of(member.node);
    } else {
      task.output = new_value(member.node, n.type);
      if (member.tiles.gives == Tiles::Gives::sum) {
        task.part = Buffer(static_cast<std::size_t>(n.type.shape.size()) * size_of(n.type.dtype));
        task.total.resize(static_cast<std::size_t>(n.type.shape.size()));
      }
    }
    if (const RowKernel kernel = n.op->row_kernel(types)) task.loop.emplace(*n.op, kernel, task.inputs, *task.output);
  }
  for (const Compiled& compiled : kernels_) {
    KernelTask& task = piece.kernels.emplace_back();
    const Kernel& kernel = compiled.kernel.kernel();
    for (const Kernel::Read& read : kernel.reads) {
      const Member& reader = members_[at(member_of(kernel.steps[at(read.step)].node))];
      const bool sliced = ((reader.tiles.sliced >> static_cast<unsigned>(read.input)) & 1U) != 0;
      task.reads.push_back(sliced ? tile_of(read.node) : &values_[at(read.node)]);
    }
    for (const Kernel::Step& step : kernel.steps) {
      if (step.stored) task.writes.push_back({tile_of(step.node)});
      if (step.table >= 0) task.writes.push_back({&values_[at(step.table)]});
    }
    for (const Kernel::Fold& fold : kernel.folds) {
      Task& result = piece.tasks[at(member_of(fold.node))];
      task.writes.push_back({result.output, fold.over_rows() ? &result : nullptr});
    }
    if (along_held_rows()) task.rows = tile_of(kernel.steps.front().node);
    task.in.resize(task.reads.size());
    task.out.resize(task.writes.size());
    const auto step_of = [&](const Value* value) {
      const auto slice =
          std::find_if(piece.slices.begin(), piece.slices.end(), [&](const Slice& s) { return s.tile == value; });
      return slice != piece.slices.end() ? slice->row_bytes : 0;
    };
    for (const Value* read : task.reads) task.in_step.push_back(step_of(read));
    for (const Write& write : task.writes) task.out_step.push_back(write.sum != nullptr ? 0 : step_of(write.value));
  }
  pieces_.push_back(std::move(piece));  // whole, or not at all
}

// Of a dense tile, also how much it holds. All tiles of a run but the last have as many rows.
void Region::set_rows(Value& tile, std::int64_t rows) {
  if (tile.type.shape[0] != rows) tile.type.shape = tile.type.shape.with(0, rows);
  if (tile.type.layout == Layout::dense) tile.stored = tile.type.shape.size();
}

void Region::set_tile(Piece& piece, std::byte* memory, std::int64_t first, std::int64_t count) const {
  for (const Slice& slice : piece.slices) {
    Value& tile = *slice.tile;
    const Value& whole = *slice.whole;
    if (along_held_rows()) {
      tile.data = whole.data == nullptr ? nullptr : whole.data + first * slice.row_bytes;
      hold_rows(tile, first, count);
      continue;
    }
    set_rows(tile, count * slice.unit);
    if (tile.type.layout == Layout::csr) {
      const std::int64_t* start = whole.row_start() + first * slice.unit;
      tile.first_row = whole.first_row + first * slice.unit;
      tile.ones = whole.ones;
      tile.stored = start[count * slice.unit] - start[0];
      tile.data = whole.data + static_cast<std::size_t>(start[0] - whole.row_start()[0]) * size_of(tile.type.dtype);
    } else {
      tile.data = whole.data + first * slice.row_bytes;
    }
  }
  for (const Own& own : piece.own) {
    Value& tile = *own.tile;
    if (own.offset >= 0) tile.data = memory + own.offset;
    if (along_held_rows()) {
      hold_rows(tile, first, count);
      continue;
    }
    set_rows(tile, count * own.unit);
    tile.first_row = first * own.unit;
  }
}

// Makes the value, of rows or a part, the `count` rows from the first of those that the region goes along.
void Region::hold_rows(Value& tile, std::int64_t first, std::int64_t count) const {
  if (tile.index != index_) tile.index = index_;  // a tile after the first has it
  tile.first_row = first;
  tile.stored = count * tile.row_size();
}

// How many rows there are in this run, and the results that exist as a whole, with room for them.
void Region::prepare_rows(Workers& workers) {
  const Value& by = values_[at(active_in_)];
  index_ = by.type.layout == Layout::csr ? by.pattern->active(&workers).columns : by.index;
  rows_ = index_->count();
  choose_pieces();
  for (const int m : whole_rows_)
    Call({}, values_[at(members_[at(m)].node)], workers, working_.scratch, working_.growing[members_[at(m)].growing])
        .set_index(index_);
}

// The outputs of sums as they will be, with room for what each piece adds up.
void Region::prepare_sums(Workers& workers) {
  std::size_t bytes = 0;
  sum_offset_.clear();
  for (std::size_t s = 0; s < sums_.size(); ++s) {
    const int m = sums_[s];
    const int id = members_[at(m)].node;
    Value& output = values_[at(id)];
    if (output.type.layout != Layout::dense) {
      std::vector<const Value*> inputs;
      // What the region makes of a csr matrix is not there yet; its pattern is.
      for (const int input : node(id).inputs)
        inputs.push_back(&values_[at(
            node(input).type.layout == Layout::csr ? program_.facts.pattern_source(node(input).origin).id() : input)]);
      Call call(inputs, output, workers, working_.scratch, working_.growing[members_[at(m)].growing]);
      call.node = node(id).origin;
      node(id).op->prepare_sum(call);
    }
    for (std::size_t p = 0; p < static_cast<std::size_t>(pieces_used_); ++p) {
      Value& mine = *pieces_[p].tasks[at(m)].output;
      mine.stored = output.stored;
      mine.pattern = output.pattern;
      mine.index = output.index;
      mine.data = output.data;
    }
    sum_offset_.push_back(bytes);
    bytes += static_cast<std::size_t>(
        Arena::whole_lines(output.stored * static_cast<std::int64_t>(size_of(output.type.dtype))));
  }
  WorkingMemory::make_room(working_.lanes, static_cast<std::size_t>(pieces_used_));
  for (std::size_t p = 0; p < static_cast<std::size_t>(pieces_used_); ++p) {
    WorkingMemory::Lane& lane = working_.lanes[p];
    lane.tiles.reserve(static_cast<std::size_t>(bytes_));
    if (p > 0) lane.sums.reserve(bytes);
    WorkingMemory::make_room(lane.growing, members_.size());
  }
}

// One member's work on the tile at hand.
void Region::run_member(Piece& piece, WorkingMemory::Lane& lane, std::size_t m, std::uint64_t run_number) {
  const Member& member = members_[m];
  const ProgramNode& n = node(member.node);
  Task& task = piece.tasks[m];
  Value& output = *task.output;
  if (task.loop && task.loop->is_plain() && member.table == nullptr)
    return with_place(n.origin, [&] { task.loop->run_plain(task.inputs, output); });
  const bool adds_here = member.tiles.gives == Tiles::Gives::sum;
  std::byte* const sum = output.data;
  if (adds_here) output.data = task.part.data();
  Call call(task.inputs, output, alone_, lane.scratch, lane.growing[m]);
  call.node = n.origin;
  call.run = run_number;
  call.adds = member.tiles.gives == Tiles::Gives::accumulated;
  call.in_tile = !is_sum(member.tiles);
  if (task.loop) {
    with_place(n.origin, [&] { task.loop->run(call); });
  } else {
    n.op->compute(call);
  }
  if (member.table != nullptr)
    scatter_rows(output.data, output.held_rows(), static_cast<std::size_t>(row_bytes_of(output.type)),
                 member.table->data, output.rows_after());
  if (!adds_here) return;
  output.data = sum;
  task.add_part();
}

void Region::run_piece(std::size_t number, std::uint64_t run_number, Recorder* recorder) {
  Piece& piece = pieces_[number];
  WorkingMemory::Lane& lane = working_.lanes[number];
  for (const Slice& slice : piece.slices) slice.tile->pattern = slice.whole->pattern;
  for (std::size_t s = 0; s < sums_.size(); ++s) {
    Task& task = piece.tasks[at(sums_[s])];
    Value& sum = *task.output;
    if (number > 0) sum.data = lane.sums.data() + sum_offset_[s];
    std::fill(task.total.begin(), task.total.end(), 0.0);
    if (sum.stored > 0) std::memset(sum.data, 0, static_cast<std::size_t>(sum.stored) * size_of(sum.type.dtype));
  }
  // The bounds of a piece are whole tiles.
  const std::int64_t count = pieces_used_;
  const std::int64_t tiles = (rows_ + tile_rows_ - 1) / tile_rows_;
  const auto begin = static_cast<std::int64_t>(number) * tiles / count * tile_rows_;
  const std::int64_t end = std::min((static_cast<std::int64_t>(number) + 1) * tiles / count * tile_rows_, rows_);
  if (only_kernels_ && begin < end) {
    set_tile(piece, lane.tiles.data(), begin, std::min(tile_rows_, end - begin));
    run_kernels(piece, static_cast<int>(number) + 1, begin, end, recorder);
  }
  for (std::int64_t first = begin; first < end && !only_kernels_; first += tile_rows_) {
    set_tile(piece, lane.tiles.data(), first, std::min(tile_rows_, end - first));
    const auto run_members = [&](std::size_t m, std::size_t last) {
      for (; m < last; ++m) run_member(piece, lane, m, run_number);
    };
    std::size_t next = 0;  // kernel
    for (std::size_t m = 0; m < members_.size(); ++m) {
      const Compiled* kernel = next < kernels_.size() && kernels_[next].first == m ? &kernels_[next] : nullptr;
      Recorder::time(recorder, members_[m].node, static_cast<int>(number) + 1, [&] {
        if (kernel == nullptr) return run_members(m, m + 1);
        if (kernel->function == nullptr) return run_members(m, kernel->end);
        point(piece.kernels[next]);
        run_kernel(piece.kernels[next], *kernel, std::min(tile_rows_, end - first));
      });
      if (kernel == nullptr) continue;
      m = kernel->end - 1;
      ++next;
    }
  }
  const auto forget = [](Value& value) {
    value.pattern.reset();
    value.index.reset();
  };
  for (const Slice& slice : piece.slices) forget(*slice.tile);
  for (const Own& own : piece.own) forget(*own.tile);
}

void Region::add_sums(Workers& workers) {
  for (const int m : sums_) {
    Value& output = values_[at(members_[at(m)].node)];
    std::vector<double>& total = pieces_.front().tasks[at(m)].total;
    const auto pieces = static_cast<std::size_t>(pieces_used_);
    for (std::size_t p = 1; p < pieces && !total.empty(); ++p)
      add(total.data(), pieces_[p].tasks[at(m)].total.data(), output.stored);
    dispatch_floating(output.type.dtype, [&]<class T>(TypeTag<T>) {
      std::transform(total.begin(), total.end(), output.as<T>(), [](double sum) { return static_cast<T>(sum); });
      if (!total.empty()) return;
      workers.for_each(output.stored, 16384, [&](std::int64_t first, std::int64_t last) {
        for (std::size_t p = 1; p < pieces; ++p)
          add(output.as<T>() + first, pieces_[p].tasks[at(m)].output->as<T>() + first, last - first);
      });
    });
    for (Piece& piece : pieces_) piece.tasks[at(m)].output->index.reset();
  }
}

void Region::make_room(Workers& workers) {
  if (along_held_rows()) prepare_rows(workers);
  prepare_sums(workers);
}

void Region::run(Workers& workers, std::uint64_t run_number, Recorder* recorder) {
  choose_functions();
  workers.for_each(pieces_used_, 1, [&](std::int64_t piece, std::int64_t) {
    run_piece(static_cast<std::size_t>(piece), run_number, recorder);
  });
  add_sums(workers);
  index_.reset();
}

}  // namespace gradus
