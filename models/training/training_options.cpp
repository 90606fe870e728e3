#include <gradus/models/training/training_options.h>

#include <gradus/core/error.h>
#include <gradus/core/io/json.h>
#include <gradus/core/listed.h>
#include <gradus/models/data/relations.h>
#include <gradus/models/training/training_settings.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

namespace gradus {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T>
constexpr bool may_be_open = false;
template <class T>
constexpr bool may_be_open<std::optional<T>> = true;

constexpr std::string_view guess = "guess";

// The values of an enumeration, by name, as a command line and a file have them: "log-loss".
template <class E>
std::string name_of(E value) {
  std::string name(to_string(value));
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}
template <class E>
std::vector<std::pair<std::string, E>> named_values() {
  std::vector<std::pair<std::string, E>> out;
  for (std::uint8_t i = 0; !to_string(static_cast<E>(i)).empty(); ++i)
    out.emplace_back(name_of(static_cast<E>(i)), static_cast<E>(i));
  return out;
}

// A value as a message shows it.
template <class T>
std::string shown(const T& value) {
  if constexpr (std::is_same_v<T, RowSplit>) {
    return to_string(value);
  } else if constexpr (std::is_enum_v<T>) {
    return name_of(value);
  } else if constexpr (is_choice<T>) {
    return value ? name_of(*value) : std::string(guess);
  } else if constexpr (may_be_open<T>) {
    return value ? shown(*value) : "left open";
  } else if constexpr (std::is_same_v<T, std::vector<std::int64_t>> || std::is_same_v<T, std::vector<std::string>>) {
    return value.empty() ? "nothing" : listed(value, ",");
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "on" : "off";
  } else {
    return fmt::format("{}", value);
  }
}

}  // namespace

std::vector<Setting> settings(TrainingOptions& o) {
  constexpr std::string_view model = "Model", optimizer = "Optimizer", course = "Training";
  const auto number = [](std::string_view name, auto* value, double least, double most, bool above,
                         std::string_view group,
                         std::string_view what) { return Setting{name, value, least, most, above, {}, group, what}; };
  const auto choice = []<class T>(std::string_view name, T* value, std::string_view group, std::string_view what) {
    std::vector<std::string> choices;
    if constexpr (may_be_open<T>) {
      choices.emplace_back(guess);
      for (const auto& [each, of] : named_values<typename T::value_type>()) choices.push_back(each);
    } else {
      for (const auto& [each, of] : named_values<T>()) choices.push_back(each);
    }
    return Setting{name, value, 0, 0, false, std::move(choices), group, what};
  };
  const auto flag = [](std::string_view name, auto* value, std::string_view group, std::string_view what) {
    return Setting{name, value, 0, 0, false, {}, group, what};
  };
  const auto also = [](std::string_view alias, Setting setting) {
    setting.alias = alias;
    return setting;
  };
  const auto of = [](std::vector<Learner> learners, Setting setting) {
    setting.learners = std::move(learners);
    return setting;
  };
  const auto of_kinds = [](std::vector<ModelKind> kinds, Setting setting) {
    setting.kinds = std::move(kinds);
    return setting;
  };
  const std::vector<Learner> down_gradients = {Learner::sgd,     Learner::momentum, Learner::adagrad, Learner::adadelta,
                                               Learner::rmsprop, Learner::adam,     Learner::adamw,   Learner::ftrl};
  const auto gradients = [&](Setting setting) { return of(down_gradients, std::move(setting)); };
  const auto not_mcmc = [&](Setting setting) {
    std::vector<Learner> learners = down_gradients;
    learners.push_back(Learner::als);
    return of(std::move(learners), std::move(setting));
  };
  const auto newer = [](Setting setting) {
    setting.newer = true;
    return setting;
  };
  return {
      choice("kind", &o.kind, model, "What is learnt of the features"),
      choice("task", &o.task, model,
             "What is to be told; guess: binary where all targets are 0 and 1, or -1 and 1, multiclass where they are "
             "words"),
      also("-k", number("factors", &o.factors, 1, 10000, false, model, "k, the numbers of each feature's vector")),
      of_kinds({ModelKind::higher_order},
               number("order", &o.order, 2, 5, false, model, "Features that interact at once, of a higher-order FM")),
      of_kinds({ModelKind::deep},
               number("hidden", &o.hidden, 1, 1e6, false, model, "Widths of the layers of a deep FM, as 64,32")),
      number("init-stddev", &o.init_stddev, 0, infinity, false, model, "Deviation of the factors at the start"),
      not_mcmc(number("l2-w0", &o.l2_w0, 0, infinity, false, model, "L2 penalty on the bias")),
      not_mcmc(number("l2-w", &o.l2_w, 0, infinity, false, model, "L2 penalty on the weights of features")),
      not_mcmc(number("l2-v", &o.l2_v, 0, infinity, false, model, "L2 penalty on the factors")),
      not_mcmc(Setting{"l2",
                       &o.l2,
                       0,
                       0,
                       false,
                       {},
                       model,
                       "L2 penalty on the weights and factors of single columns of a table, as user=0.1,item=0.01"}),
      not_mcmc(
          choice("l2-over", &o.l2_over, model,
                 "touched: a row's features pay, as in libFM and xLearn; all: every weight pays in every step; guess: "
                 "touched where a penalty is named, or a step reaches few of the weights")),
      newer(of({Learner::als}, number("l2-rows", &o.l2_rows, 0, most_count, false, model,
                                      "Where als penalizes a feature by its rows: how many more it counts"))),
      newer(of_kinds({ModelKind::linear, ModelKind::fm},
                     Setting{"implicit",
                             &o.implicit,
                             0,
                             0,
                             false,
                             {},
                             model,
                             "What a category's rows to learn from have in another column, as user:item,item:user: the "
                             "items of a row's user, each of m as 1/sqrt(m), and the users of its item"})),
      flag("normalize", &o.normalize, model,
           "Divide each column by the greatest number that it has in training; kept with the model; without it those "
           "are divided that are far from 1"),
      flag("clip-predictions", &o.clip_predictions, model, "Keep predictions within the range of the targets seen"),

      also("--learner",
           choice("optimizer", &o.optimizer, optimizer,
                  "How the model is learnt: down its gradients; all kinds but deep also by als (least squares for one "
                  "parameter after the other) or mcmc (Gibbs sampling: the most accurate on tables below 10 million "
                  "non-zeros, with nothing to tune)")),
      newer(of({Learner::mcmc}, number("samples", &o.samples, 1, 10000, false, optimizer,
                                       "Of mcmc: models kept, each the mean of a stretch of its epochs, whose "
                                       "predictions are averaged"))),
      gradients(also("--lr", number("rate", &o.rate, 0, infinity, false, optimizer,
                                    "Learning rate; 0: the optimizer's usual one"))),
      of({Learner::momentum}, number("momentum", &o.momentum, 0, 0.999999, false, optimizer, "Of momentum")),
      of({Learner::momentum}, flag("nesterov", &o.nesterov, optimizer, "Nesterov's momentum")),
      of({Learner::adagrad, Learner::ftrl},
         number("initial-accumulator", &o.initial_accumulator, 0, infinity, true, optimizer, "Of adagrad and ftrl")),
      of({Learner::adadelta},
         number("rho", &o.rho, 0, 0.999999, false, optimizer, "Of adadelta: decay of its averages")),
      of({Learner::rmsprop},
         number("decay", &o.decay, 0, 0.999999, false, optimizer, "Of rmsprop: decay of its averages")),
      of({Learner::rmsprop},
         number("rmsprop-momentum", &o.rmsprop_momentum, 0, 0.999999, false, optimizer, "Of rmsprop")),
      of({Learner::rmsprop}, flag("centered", &o.centered, optimizer, "Of rmsprop: divide by the deviation")),
      of({Learner::adam, Learner::adamw},
         number("beta1", &o.beta1, 0, 0.999999, false, optimizer, "Of adam and adamw")),
      of({Learner::adam, Learner::adamw},
         number("beta2", &o.beta2, 0, 0.999999999, false, optimizer, "Of adam and adamw")),
      of({Learner::adadelta, Learner::rmsprop, Learner::adam, Learner::adamw},
         number("epsilon", &o.epsilon, 0, infinity, false, optimizer,
                "Of adadelta, rmsprop, adam, adamw; 0: the optimizer's usual one")),
      of({Learner::adamw}, number("weight-decay", &o.weight_decay, 0, infinity, false, optimizer, "Of adamw")),
      of({Learner::ftrl}, number("l1", &o.l1, 0, infinity, false, optimizer, "Of ftrl")),
      gradients(choice(
          "schedule", &o.schedule, optimizer,
          "The rate over time: exponential by schedule-decay each epoch; cosine to 0 at the last epoch; steps by "
          "schedule-decay at each epoch of schedule-at")),
      gradients(number("schedule-decay", &o.schedule_decay, 0, 1, true, optimizer, "What the rate is multiplied by")),
      gradients(number("schedule-at", &o.schedule_at, 1, most_count, false, optimizer, "Epochs, as 10,20")),
      gradients(number("clip-norm", &o.clip_norm, 0, infinity, false, optimizer,
                       "Longest gradient, of all parameters together; 0: any")),
      gradients(
          number("clip-value", &o.clip_value, 0, infinity, false, optimizer, "Largest number in a gradient; 0: any")),

      also("-e",
           number("epochs", &o.epochs, 1, most_count, false, course, "Times that the data are gone through, at most")),
      gradients(also("-b", number("batch", &o.batch, 0, most_count, false, course, "Rows a step; 0: all of them"))),
      not_mcmc(number("patience", &o.patience, 0, most_count, false, course,
                      "Epochs without improvement on the validation set before training stops; 0: never stop early")),
      not_mcmc(choice("stop-by", &o.stop_by, course,
                      "Metric of the validation set that says which epoch is best; guess: the loss that is learnt")),
      flag("balance", &o.balance, course, "Let classes count alike, however many rows each has"),
      number("valid-fraction", &o.valid_fraction, 0, 0.9, false, course,
             "Part of the rows held out to validate with, unless there is a file for that; 0: none"),
      newer(
          Setting{"split",
                  &o.split,
                  0,
                  0,
                  false,
                  {},
                  course,
                  "Which rows are held out, also by --cv: random; time:COLUMN, the latest; user or user:COLUMN, all of "
                  "some users; leave-last-out or leave-last-out:COLUMN, the last of each user"}),
      number("stream-above", &o.stream_above, 0, most_count, false, course,
             "MiB; a cache that is larger is not read whole but block by block, in the memory of a few blocks, and "
             "shuffled likewise; 0: any cache"),
      newer(gradients(number("pieces", &o.pieces, 1, 65536, false, course,
                             "Pieces of a batch, which ranks share: the model is the same for any number of ranks, and "
                             "another for another number of pieces"))),
      flag("refit", &o.refit, course,
           "Learn again from all rows, those to validate with among them, for as many epochs as did best; without it, "
           "where there are at most 200,000"),
      Setting{"seed", &o.seed, 0, 0, false, {}, course, "Of the start, the order of the rows and the held-out part"},
  };
}

bool is_of_learner(const Setting& setting, const TrainingOptions& options) {
  const std::vector<Learner>& of = setting.learners;
  return of.empty() || std::find(of.begin(), of.end(), options.optimizer) != of.end();
}

bool is_used(const Setting& setting, const TrainingOptions& options) {
  const std::vector<ModelKind>& of = setting.kinds;
  return is_of_learner(setting, options) && (of.empty() || std::find(of.begin(), of.end(), options.kind) != of.end());
}

std::string field_of(const Setting& setting) {
  std::string field(setting.name);
  std::replace(field.begin(), field.end(), '-', '_');
  return field;
}

void choose(const Setting& setting, std::string_view name) {
  const bool found = std::visit(
      [&](auto* value) {
        using T = std::remove_cvref_t<decltype(*value)>;
        if constexpr (std::is_same_v<T, RowSplit>) {
          *value = row_split_named(name);
          return true;
        } else if constexpr (is_choice<T>) {
          if constexpr (may_be_open<T>) {
            if (name == guess) {
              value->reset();
              return true;
            }
            for (const auto& [each, of] : named_values<typename T::value_type>())
              if (each == name) *value = of;
            return value->has_value() && shown(*value) == name;
          } else {
            for (const auto& [each, of] : named_values<T>())
              if (each == name) *value = of;
            return shown(*value) == name;
          }
        } else {
          return false;
        }
      },
      setting.value);
  if (!found) fail<ValueError>(".{} is {}; one of {} is expected", field_of(setting), name, listed(setting.choices));
}

std::string_view to_string(Learner learner) {
  switch (learner) {
    case Learner::sgd: return "sgd";
    case Learner::momentum: return "momentum";
    case Learner::adagrad: return "adagrad";
    case Learner::adadelta: return "adadelta";
    case Learner::rmsprop: return "rmsprop";
    case Learner::adam: return "adam";
    case Learner::adamw: return "adamw";
    case Learner::ftrl: return "ftrl";
    case Learner::als: return "als";
    case Learner::mcmc: return "mcmc";
  }
  return "";
}

std::string_view to_string(RateSchedule schedule) {
  switch (schedule) {
    case RateSchedule::constant: return "constant";
    case RateSchedule::exponential: return "exponential";
    case RateSchedule::cosine: return "cosine";
    case RateSchedule::steps: return "steps";
  }
  return "";
}

std::string shown(const Setting& setting) {
  return std::visit([](const auto* value) { return shown(*value); }, setting.value);
}

std::string to_json(const TrainingOptions& options) {
  TrainingOptions copy = options;
  Json json = Json::object();
  for (const Setting& setting : settings(copy))
    std::visit(
        [&](const auto* value) {
          Json& member = json[std::string(setting.name)];
          if constexpr (is_choice<std::remove_cvref_t<decltype(*value)>>) {
            member = shown(*value);
          } else if constexpr (may_be_open<std::remove_cvref_t<decltype(*value)>>) {
            if (*value) member = **value;
          } else {
            member = *value;
          }
        },
        setting.value);
  return to_text(json);
}

TrainingOptions training_options_from_json(std::string_view text, const std::string& name) {
  const Json json = parse_json(text);
  if (!json.is_object()) fail<IoError>("{}: its options are not a JSON object", name);
  TrainingOptions out;
  for (const Setting& setting : settings(out)) {
    const auto found = json.find(std::string(setting.name));
    if (found == json.end() && setting.newer) continue;
    if (found == json.end()) fail<IoError>("{}: its options lack \"{}\"", name, setting.name);
    try {
      std::visit(
          [&](auto* value) {
            using T = std::remove_cvref_t<decltype(*value)>;
            if constexpr (is_choice<T>) {
              choose(setting, found->template get<std::string>());
            } else if constexpr (may_be_open<T>) {
              if (!found->is_null()) *value = found->template get<typename T::value_type>();
            } else {
              *value = found->template get<T>();
            }
          },
          setting.value);
    } catch (const Json::exception&) {
      fail<IoError>("{}: its option \"{}\" is {}", name, setting.name, to_text(*found));
    } catch (const ValueError& error) {
      fail<IoError>("{}: {}", name, error.what());
    }
  }
  try {
    check(out);
  } catch (const ValueError& error) {
    fail<IoError>("{}: {}", name, error.what());
  }
  return out;
}

std::string difference(const TrainingOptions& now, const TrainingOptions& before) {
  TrainingOptions a = now;
  TrainingOptions b = before;
  const std::vector<Setting> of_b = settings(b);
  std::string text;
  for (std::size_t i = 0; const Setting& setting : settings(a)) {
    std::visit(
        [&](const auto* value) {
          const auto& other = *std::get<std::remove_cvref_t<decltype(*value)>*>(of_b[i].value);
          if (text.empty() && *value != other)
            text = fmt::format(".{} is {} but was {}", field_of(setting), shown(*value), shown(other));
        },
        setting.value);
    ++i;
  }
  return text;
}

}  // namespace gradus
