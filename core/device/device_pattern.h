// The indices of sparse tensors in an accelerator's memory. What is found out about the columns of a large pattern is
// found out there: the host would sort for longer than a step takes.
#pragma once

#include <gradus/core/device/accelerator.h>
#include <gradus/core/tensor/sparse.h>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>

namespace gradus {

/// The row numbers of row indices in an accelerator's memory.
class DeviceRows {
 public:
  explicit DeviceRows(std::shared_ptr<Accelerator> accelerator) : accelerator_(std::move(accelerator)) {}
  const Index* of(const std::shared_ptr<const RowIndex>& index);  // [count]
  void drop_unused();

 private:
  struct Uploaded {
    std::shared_ptr<const RowIndex> host;
    DeviceMemory memory;
  };
  std::shared_ptr<Accelerator> accelerator_;
  std::map<const RowIndex*, Uploaded> uploaded_;
};

/// The index arrays of a csr pattern (see sparse.h) in an accelerator's memory, when first asked for. What the device
/// can find out of others is not uploaded.
class DevicePattern {
 public:
  DevicePattern(std::shared_ptr<Accelerator> accelerator, DeviceRows& rows, std::shared_ptr<const CsrPattern> pattern);

  const std::int64_t* row_start();  // [rows + 1]
  const Index* column();            // [non-zeros]
  const Index* row();               // [non-zeros]: the row of each
  const Index* slot();              // [non-zeros]: which of the active columns
  const Index* active();            // [active columns]
  struct ByColumn {
    const std::int64_t* start;     // [active + 1]
    const Index* row;              // [non-zeros]
    const std::int64_t* position;  // [non-zeros]
  };
  ByColumn by_column();

 private:
  template <class T>
  const T* uploaded(DeviceMemory& memory, std::span<const T> from);
  void sort_by_column();
  bool is_large() const;

  std::shared_ptr<Accelerator> accelerator_;
  DeviceRows& rows_;
  std::shared_ptr<const CsrPattern> pattern_;
  DeviceMemory row_start_, column_, row_, slot_, start_, by_row_, position_;
};

/// The patterns and row indices that an accelerator's memory holds, for as long as the host's exist or until dropped.
class DeviceIndices {
 public:
  explicit DeviceIndices(std::shared_ptr<Accelerator> accelerator);
  DevicePattern& of(const std::shared_ptr<const CsrPattern>& pattern);
  const Index* of(const std::shared_ptr<const RowIndex>& index);  // [count]
  /// Drops those whose host object nobody else has.
  void drop_unused();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace gradus
