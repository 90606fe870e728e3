#include <gradus/models/c/gradus.h>

#include <gradus/core/error.h>
#include <gradus/core/tensor/tensor.h>
#include <gradus/models/training/inspection.h>
#include <gradus/models/training/model_file.h>
#include <gradus/models/training/predictor.h>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct gradus_model {
  gradus_model(gradus::TrainedModel loaded, const std::string& path, int threads)
      : model(std::move(loaded)), predict(model, path, {.threads = threads}) {}

  gradus::TrainedModel model;
  gradus::Predictor predict;
  std::mutex used;
};

namespace {

using namespace gradus;

thread_local std::string last_error;  // NOLINT(bugprone-dynamic-static-initializers)

int failed(int status, const char* what) noexcept {
  try {
    last_error = what;
  } catch (...) {
    last_error.clear();
  }
  return status;
}

// Calls `work`, and makes a code of what it throws: no exception may leave.
template <class Work>
int guarded(const Work& work) noexcept {
  try {
    work();
    return GRADUS_OK;
  } catch (const IoError& error) {
    return failed(GRADUS_IO_ERROR, error.what());
  } catch (const ValueError& error) {
    return failed(GRADUS_VALUE_ERROR, error.what());
  } catch (const std::bad_alloc&) {
    return failed(GRADUS_NO_MEMORY, "there is not enough memory");
  } catch (const std::exception& error) {
    return failed(GRADUS_OTHER_ERROR, error.what());
  } catch (...) {
    return failed(GRADUS_OTHER_ERROR, "something unknown was thrown");
  }
}

void check_given(std::string_view function, std::string_view argument, const void* given) {
  if (given == nullptr) fail<ValueError>("{}: {} is NULL", function, argument);
}

// The rows as a csr matrix, columns ascending.   [rows, p]
Tensor rows_of(std::int64_t rows, std::int64_t p, const std::int64_t* row_start, const std::int64_t* column,
               const float* value) {
  if (rows < 0) fail<ValueError>("gradus_predict: rows is {}; 0 or more are expected", rows);
  check_given("gradus_predict", "row_start", row_start);
  if (row_start[0] != 0) fail<ValueError>("gradus_predict: row_start[0] is {}; 0 is expected", row_start[0]);
  for (std::int64_t r = 0; r < rows; ++r)
    if (row_start[r + 1] < row_start[r])
      fail<ValueError>("gradus_predict: row_start[{}] is {} but row_start[{}] is {}; they do not descend", r,
                       row_start[r], r + 1, row_start[r + 1]);
  const std::int64_t count = row_start[rows];
  if (count > 0) {
    check_given("gradus_predict", "column", column);
    check_given("gradus_predict", "value", value);
  }
  std::vector<std::int64_t> start(row_start, row_start + rows + 1), sorted;
  std::vector<float> values;
  std::vector<std::pair<std::int64_t, float>> row;
  for (std::int64_t r = 0; r < rows; ++r) {
    row.clear();
    for (std::int64_t j = row_start[r]; j < row_start[r + 1]; ++j) {
      if (column[j] < 0 || column[j] >= p)
        fail<ValueError>("gradus_predict: column[{}] is {}, in row {}; 0 to {} are expected", j, column[j], r, p - 1);
      row.emplace_back(column[j], value[j]);
    }
    std::sort(row.begin(), row.end());
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0 && row[i].first == row[i - 1].first)
        fail<ValueError>("gradus_predict: row {} has column {} twice", r, row[i].first);
      sorted.push_back(row[i].first);
      values.push_back(row[i].second);
    }
  }
  return Tensor::csr(rows, p, start, sorted, values);
}

}  // namespace

const char* gradus_version(void) { return GRADUS_VERSION; }
const char* gradus_error(void) { return last_error.c_str(); }

int gradus_load(const char* path, int threads, gradus_model** model) {
  return guarded([&] {
    check_given("gradus_load", "path", path);
    check_given("gradus_load", "model", static_cast<const void*>(model));
    if (threads < 0) fail<ValueError>("gradus_load: threads is {}; 0 or more are expected", threads);
    *model = std::make_unique<gradus_model>(load_model(path), path, threads).release();
  });
}

void gradus_free(gradus_model* model) { delete model; }

int64_t gradus_features(const gradus_model* model) { return model->model.columns.count; }
int64_t gradus_outputs(const gradus_model* model) {
  return std::max<std::int64_t>(std::ssize(model->model.classes), 1);
}
const char* gradus_task(const gradus_model* model) { return to_string(*model->model.options.task).data(); }
const char* gradus_class(const gradus_model* model, int64_t output) {
  const std::vector<std::string>& classes = model->model.classes;
  return output >= 0 && output < std::ssize(classes) ? classes[static_cast<std::size_t>(output)].c_str() : nullptr;
}

int gradus_feature(const gradus_model* model, const char* name, int64_t* column) {
  return guarded([&] {
    check_given("gradus_feature", "model", model);
    check_given("gradus_feature", "name", name);
    check_given("gradus_feature", "column", column);
    *column = feature_named(model->model, name);
  });
}

int gradus_feature_name(const gradus_model* model, int64_t column, char* name, size_t size, size_t* length) {
  return guarded([&] {
    check_given("gradus_feature_name", "model", model);
    if (column < 0 || column >= model->model.columns.count)
      fail<ValueError>("gradus_feature_name: column is {}; 0 to {} are expected", column,
                       model->model.columns.count - 1);
    if (size > 0) check_given("gradus_feature_name", "name", name);
    const std::string text = feature_name(model->model, column);
    if (length != nullptr) *length = text.size();
    if (size == 0) return;
    const std::size_t copied = std::min(size - 1, text.size());
    std::memcpy(name, text.data(), copied);
    name[copied] = '\0';
  });
}

int gradus_predict(gradus_model* model, int64_t rows, const int64_t* row_start, const int64_t* column,
                   const float* value, float* out) {
  return guarded([&] {
    check_given("gradus_predict", "model", model);
    const Tensor x = rows_of(rows, model->model.columns.count, row_start, column, value);
    if (rows == 0) return;
    check_given("gradus_predict", "out", out);
    const std::lock_guard lock(model->used);
    const Tensor told = model->predict.all(x);
    std::copy_n(told.span<float>().begin(), told.size(), out);
  });
}

int gradus_predict_text(gradus_model* model, const char* text, size_t size, int64_t most, float* out, int64_t* rows) {
  return guarded([&] {
    check_given("gradus_predict_text", "model", model);
    check_given("gradus_predict_text", "text", text);
    check_given("gradus_predict_text", "rows", rows);
    ReadOptions read = read_options(model->model);
    read.format = model->model.format;
    read.need_target = false;
    const ReadRows given = open_rows(Input::of_bytes("text", {text, size}), read)->next(unlimited);
    if (given.size() > most)
      fail<ValueError>("gradus_predict_text: the text has {} rows, but there is room for {}", given.size(), most);
    check_given("gradus_predict_text", "out", out);
    const std::lock_guard lock(model->used);
    const Tensor told = model->predict.all(given.x);
    std::copy_n(told.span<float>().begin(), told.size(), out);
    *rows = given.size();
  });
}
