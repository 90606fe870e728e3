// The files that make up a walkthrough's page, as CMake embeds them (cmake/Walkthrough.cmake). Internal.
#pragma once

#include <string_view>

namespace gradus {

struct WalkthroughFile {
  std::string_view text;
  std::string_view sha256;  // hexadecimal
};

extern const WalkthroughFile walkthrough_html, walkthrough_css, walkthrough_js;

}  // namespace gradus
