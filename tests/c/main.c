/* A program in C that scores rows by gradus_c. usage: main MODEL CSV PREDICTIONS, which fm predict made. */
#include <gradus/models/c/gradus.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int expect(int is_so, const char* what) {
  if (!is_so) fprintf(stderr, "c: %s (%s)\n", what, gradus_error());
  return is_so ? 0 : 1;
}

int main(int argc, char** argv) {
  static char text[1 << 20];
  static float out[100000];
  char name[64];
  size_t size, length;
  int64_t rows = 0, column[2], i;
  const int64_t row_start[] = {0, 2, 2};
  const float value[] = {1, 1};
  gradus_model* model = NULL;
  FILE* file;
  int wrong = 0;
  if (argc != 4) return 2;
  wrong +=
      expect(gradus_load("no such file", 1, &model) == GRADUS_IO_ERROR && model == NULL, "a file that is not there");
  wrong += expect(strstr(gradus_error(), "no such file: cannot be opened") != NULL, "the error names the file");
  wrong += expect(gradus_load(argv[2], 1, &model) == GRADUS_IO_ERROR, "a file that is no model");
  wrong += expect(gradus_load(NULL, 1, &model) == GRADUS_VALUE_ERROR, "no path");
  if (expect(gradus_load(argv[1], 2, &model) == GRADUS_OK, "a model is loaded")) return 1;
  wrong += expect(gradus_outputs(model) == 1 && strcmp(gradus_task(model), "regression") == 0, "what it is");
  wrong += expect(gradus_class(model, 0) == NULL, "it has no classes");
  wrong += expect(gradus_feature(model, "user=u3", &column[1]) == GRADUS_OK, "a feature by its name");
  wrong += expect(gradus_feature(model, "item=i4", &column[0]) == GRADUS_OK, "another");
  wrong += expect(gradus_feature(model, "item=none", &column[0]) == GRADUS_VALUE_ERROR, "a feature that is not there");
  wrong += expect(gradus_feature_name(model, column[1], name, sizeof name, &length) == GRADUS_OK &&
                      strcmp(name, "user=u3") == 0 && length == 7,
                  "a name by its feature");
  wrong += expect(
      gradus_feature_name(model, column[1], name, 5, &length) == GRADUS_OK && strcmp(name, "user") == 0 && length == 7,
      "a name that does not fit");
  wrong += expect(gradus_feature_name(model, gradus_features(model), name, 5, NULL) == GRADUS_VALUE_ERROR, "no column");

  file = fopen(argv[2], "rb");
  if (file == NULL) return 1;
  size = fread(text, 1, sizeof text, file);
  fclose(file);
  wrong += expect(gradus_predict_text(model, text, size, 1, out, &rows) == GRADUS_VALUE_ERROR, "too many rows");
  wrong +=
      expect(gradus_predict_text(model, text, size, 100000, out, &rows) == GRADUS_OK && rows > 0, "rows of a text");
  file = fopen(argv[3], "r");
  if (file == NULL) return 1;
  for (i = 0; i < rows; ++i)
    wrong +=
        expect(fgets(name, sizeof name, file) != NULL && strtof(name, NULL) == out[i], "a row as fm predict tells it");
  fclose(file);
  /* The first row of the file is of u3 and i4; the second of these has no features. Columns need no order. */
  {
    float two[2];
    wrong += expect(gradus_predict(model, 2, row_start, column, value, two) == GRADUS_OK, "rows by their columns");
    wrong += expect(two[0] == out[0], "are told alike");
    wrong += expect(two[1] != two[0], "and are told apart");
  }
  column[0] = column[1];
  wrong += expect(gradus_predict(model, 2, row_start, column, value, out) == GRADUS_VALUE_ERROR, "a column twice");
  column[0] = -1;
  wrong +=
      expect(gradus_predict(model, 2, row_start, column, value, out) == GRADUS_VALUE_ERROR, "a column out of range");
  gradus_free(model);
  gradus_free(NULL);
  return wrong == 0 ? 0 : 1;
}
