// All of gradus: include this one as <gradus/gradus.h>. Each header it names says what it holds.
#pragma once

#include <gradus/core/create.h>
#include <gradus/core/error.h>
#include <gradus/core/npy.h>
#include <gradus/core/safetensors.h>
#include <gradus/core/session.h>
#include <gradus/core/tensor.h>
#include <gradus/models/batches.h>
#include <gradus/models/dataset.h>
#include <gradus/models/factorization_machine.h>
#include <gradus/models/higher_order.h>
#include <gradus/models/linear.h>
#include <gradus/models/metrics.h>
#include <gradus/models/model.h>
#include <gradus/models/movielens.h>
#include <gradus/models/polynomial.h>
#include <gradus/models/progress.h>
#include <gradus/models/read.h>
#include <gradus/models/rendle2010.h>
#include <gradus/models/synthetic.h>
#include <gradus/ops/check_gradients.h>
#include <gradus/ops/gradients.h>
#include <gradus/ops/ops.h>
#include <gradus/optim/clip.h>
#include <gradus/optim/optim.h>
#include <gradus/optim/schedules.h>
