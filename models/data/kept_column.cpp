#include <gradus/models/data/kept_column.h>

namespace gradus {

Index KeptColumn::number_of(std::string_view cell) {
  const auto [found, is_new] = numbers_.emplace(cell, static_cast<Index>(values_.size()));
  if (is_new) values_.emplace_back(cell);
  return found->second;
}

void KeptColumn::add(std::string_view cell) { of_row_.push_back(number_of(cell)); }

void KeptColumn::append(const KeptColumn& next) {
  std::vector<Index> here;  // the numbers that its values have in this part
  here.reserve(next.values_.size());
  for (const std::string& value : next.values_) here.push_back(number_of(value));
  of_row_.reserve(of_row_.size() + next.of_row_.size());
  for (const Index number : next.of_row_) of_row_.push_back(here[static_cast<std::size_t>(number)]);
}

}  // namespace gradus
