/* Scores a CSV file by headers that fm export --c-header wrote: usage: score MODEL CSV. The file's columns are user,
   item, age and whatever is to be told; what is printed are the numbers of each row. */
#include "aware.h"
#include "binary.h"
#include "classes.h"
#include "clipped.h"
#include "deep.h"
#include "fm.h"
#include "higher.h"
#include "linear.h"
#include "probit.h"

#include <stdio.h>
#include <stdlib.h>

struct model {
  const char* name;
  int (*feature)(const char* column, const char* category);
  void (*predict)(const int* column, const float* value, int count, float* out);
  int outputs;
};

static const struct model models[] = {
    {"aware", aware_feature, aware_predict, AWARE_OUTPUTS},
    {"binary", binary_feature, binary_predict, BINARY_OUTPUTS},
    {"classes", classes_feature, classes_predict, CLASSES_OUTPUTS},
    {"clipped", clipped_feature, clipped_predict, CLIPPED_OUTPUTS},
    {"deep", deep_feature, deep_predict, DEEP_OUTPUTS},
    {"fm", fm_feature, fm_predict, FM_OUTPUTS},
    {"higher", higher_feature, higher_predict, HIGHER_OUTPUTS},
    {"linear", linear_feature, linear_predict, LINEAR_OUTPUTS},
    {"probit", probit_feature, probit_predict, PROBIT_OUTPUTS},
};

int main(int argc, char** argv) {
  char line[256];
  size_t m = 0;
  FILE* file;
  if (argc != 3) return 2;
  while (m < sizeof models / sizeof *models && strcmp(models[m].name, argv[1]) != 0) ++m;
  file = fopen(argv[2], "r");
  if (m == sizeof models / sizeof *models || file == NULL || fgets(line, sizeof line, file) == NULL) return 2;
  while (fgets(line, sizeof line, file) != NULL) {
    const char* const user = strtok(line, ",");
    const char* const item = strtok(NULL, ",");
    int column[3], i;
    float value[3] = {1, 1, 0}, out[8];
    value[2] = (float)atof(strtok(NULL, ","));
    column[0] = models[m].feature("user", user);
    column[1] = models[m].feature("item", item);
    column[2] = models[m].feature("age", "");
    models[m].predict(column, value, 3, out);
    for (i = 0; i < models[m].outputs; ++i) printf("%s%.9g", i == 0 ? "" : ",", out[i]);
    printf("\n");
  }
  fclose(file);
  return strcmp(classes_classes[0], "no \"way\"?\?/") == 0 && fm_feature("user", "nobody") == -1 ? 0 : 1;
}
