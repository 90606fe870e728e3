// How much there is to be: gradus_attack_tests --mutations=6000 --kills=51
#include "attack.h"

#include <doctest/doctest.h>

#include <charconv>
#include <string_view>

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    for (const auto& [name, number] :
         {std::pair{"--mutations=", &gradus::attack.mutations}, std::pair{"--kills=", &gradus::attack.kills}})
      if (word.starts_with(name)) {
        const std::string_view digits = word.substr(std::string_view(name).size());
        std::from_chars(digits.data(), digits.data() + digits.size(), *number);
      }
  }
  return doctest::Context(argc, argv).run();
}
