/* Predictions of trained models for programs in C, and in languages that call C: what `fm train --model` wrote is
   loaded, and rows are scored.

     gradus_model* model;
     if (gradus_load("ratings.model", &model) != GRADUS_OK) puts(gradus_error());
     int64_t column[2];
     gradus_feature(model, "user=17", &column[0]);
     gradus_feature(model, "item=50", &column[1]);
     const int64_t row_start[] = {0, 2};
     const float value[] = {1, 1};
     float out[1];
     gradus_predict(model, 1, row_start, column, value, out);
     gradus_free(model);

   Link with gradus_c; no C++ is seen outside. Functions that can fail return one of the codes below, and leave what
   they should have written as it was; gradus_error() says what was wrong. A model may be used by several threads: they
   take turns. */
#ifndef GRADUS_C_GRADUS_H
#define GRADUS_C_GRADUS_H

#include <stddef.h> /* NOLINT(modernize-deprecated-headers): it is C */
#include <stdint.h> /* NOLINT(modernize-deprecated-headers) */

#ifdef __cplusplus
extern "C" {
#endif

#if defined(_WIN32)
#define GRADUS_API
#else
#define GRADUS_API __attribute__((visibility("default")))
#endif

/* What a function returns. The numbers stay as they are. */
enum gradus_status {
  GRADUS_OK = 0,
  GRADUS_IO_ERROR = 1,    /* a file cannot be read, is no model, or is damaged */
  GRADUS_VALUE_ERROR = 2, /* an argument is not as it should be */
  GRADUS_NO_MEMORY = 3,
  GRADUS_OTHER_ERROR = 4
};

typedef struct gradus_model gradus_model;

/* The version of the library, "0.1.0". */
GRADUS_API const char* gradus_version(void);
/* What was wrong in the last call of this thread that failed; "" before. Valid until the next that fails. */
GRADUS_API const char* gradus_error(void);

/* Loads a model, to be given back to gradus_free. `threads` compute; 0: one for each core. */
GRADUS_API int gradus_load(const char* path, int threads, gradus_model** model);
GRADUS_API void gradus_free(gradus_model* model);

/* How many columns the model's rows have, and how many numbers it tells of a row: 1, or as many as it has classes. */
GRADUS_API int64_t gradus_features(const gradus_model* model);
GRADUS_API int64_t gradus_outputs(const gradus_model* model);
/* "regression", "binary", "ranking" or "multiclass". */
GRADUS_API const char* gradus_task(const gradus_model* model);
/* The name of a class, which are counted as outputs are; NULL where the model has no such class. */
GRADUS_API const char* gradus_class(const gradus_model* model, int64_t output);

/* The column of a feature by its name, as fm inspect has it: "user=17", "age", of sparse text the index. */
GRADUS_API int gradus_feature(const gradus_model* model, const char* name, int64_t* column);
/* The name of a column, written to `name`, which has room for `size` bytes; `*length` is what it needs, without the
   zero at its end. A name that does not fit is cut off. `length` may be NULL. */
GRADUS_API int gradus_feature_name(const gradus_model* model, int64_t column, char* name, size_t size, size_t* length);

/* Tells of `rows` rows what fm predict does: out[row * outputs + i]. Row r has the values value[j] in the columns
   column[j], for j from row_start[r] to row_start[r + 1] - 1, in any order, each column once; columns from 0. All
   others are 0. row_start has rows + 1 numbers, of which the first is 0. */
GRADUS_API int gradus_predict(gradus_model* model, int64_t rows, const int64_t* row_start, const int64_t* column,
                              const float* value, float* out);
/* The same for `size` bytes of text in the format that the model was trained on, a table with its header. `*rows` is
   how many rows were told, at most `most`; with more rows than that it is GRADUS_VALUE_ERROR. */
GRADUS_API int gradus_predict_text(gradus_model* model, const char* text, size_t size, int64_t most, float* out,
                                   int64_t* rows);

#ifdef __cplusplus
}
#endif

#endif
