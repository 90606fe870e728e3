# Embeds models/formats/walkthrough.{html,css,js} into the library: what is installed needs no files beside it.
set(gradus_walkthrough ${PROJECT_BINARY_DIR}/walkthrough_files.cpp)
foreach(kind html css js)
  set(file ${PROJECT_SOURCE_DIR}/models/formats/walkthrough.${kind})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} gradus_${kind})
  file(SHA256 ${file} gradus_${kind}_sha256)
endforeach()
configure_file(cmake/walkthrough_files.cpp.in ${gradus_walkthrough} @ONLY)
