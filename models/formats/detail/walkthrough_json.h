// The data of a walkthrough's page. Internal.
#pragma once

#include <gradus/core/io/json.h>
#include <gradus/models/formats/walkthrough.h>

#include <cstddef>
#include <string>
#include <vector>

namespace gradus {

/// Everything but the frames: what a page of any number of frames holds.
Json facts_of(const Walkthrough& run);
/// Those of run.frames, each with what differs from the one before.
Json frames_of(const Walkthrough& run, const std::vector<std::size_t>& frames);

}  // namespace gradus
