# What `cmake --install` leaves: headers under include/gradus/, the library, a CMake package (find_package(gradus)) and
# a pkg-config file. Both packages find themselves from where they lie, so that the whole may be moved.
include(CMakePackageConfigHelpers)

install(TARGETS gradus gradus_c EXPORT gradus)
foreach(room core ops optim models)
  install(DIRECTORY ${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus
    FILES_MATCHING PATTERN *.h PATTERN models/gradus.h EXCLUDE PATTERN detail EXCLUDE)
endforeach()
install(FILES models/gradus.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gradus)

if(TARGET gradus_mpi)
  install(TARGETS gradus_mpi LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
if(TARGET fm)
  install(PROGRAMS $<TARGET_FILE:fm> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME gradus-fm)
endif()

set(gradus_package ${CMAKE_INSTALL_LIBDIR}/cmake/gradus)
install(EXPORT gradus NAMESPACE gradus:: FILE gradusTargets.cmake DESTINATION ${gradus_package})
configure_package_config_file(cmake/gradusConfig.cmake.in gradusConfig.cmake INSTALL_DESTINATION ${gradus_package})
write_basic_package_version_file(gradusConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gradusConfig.cmake ${PROJECT_BINARY_DIR}/gradusConfigVersion.cmake
  DESTINATION ${gradus_package})

# A static library brings its dependencies to every link; a shared one has them inside.
if(BUILD_SHARED_LIBS)
  set(gradus_requires "Requires: fmt\nRequires.private: openblas libzip zlib")
  set(gradus_libs "-lgradus")
else()
  set(gradus_requires "Requires: fmt openblas libzip zlib")
  set(gradus_libs "-lgradus ${CMAKE_THREAD_LIBS_INIT}")
endif()
file(RELATIVE_PATH gradus_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" gradus_prefix ${gradus_prefix})
configure_file(cmake/gradus.pc.in gradus.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gradus.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
