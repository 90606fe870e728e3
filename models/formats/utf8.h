// Text that outward formats demand to be UTF-8; names in people's data may be any bytes.
#pragma once

#include <string>
#include <string_view>

namespace gradus {

/// The text where it is UTF-8; each byte that belongs to no character of it becomes U+FFFD, the replacement character.
/// What is a character is said by RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
std::string valid_utf8(std::string_view text);

/// The text as a terminal or a log may show it, whoever wrote it: characters that steer a terminal (ESC, BEL, CR, line
/// ends) or reorder a line (marks of direction) are escaped as in C, "\x1b" and "\u202e", and bytes that are no UTF-8
/// as "\xff".
std::string printable(std::string_view text);

}  // namespace gradus
