# What `cmake --install` puts where, and how others find it: pkg-config (mesh) and find_package(mesh).
include(CMakePackageConfigHelpers)

install(DIRECTORY include/mesh DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.h)
install(TARGETS mesh mesh_static EXPORT meshTargets)
if(TARGET mesh_cli)
  install(TARGETS mesh_cli)
endif()

list(TRANSFORM DEPS_LIBRARIES PREPEND -l OUTPUT_VARIABLE PC_LIBS_PRIVATE)
list(JOIN PC_LIBS_PRIVATE " " PC_LIBS_PRIVATE)
file(RELATIVE_PATH PC_PREFIX ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX}) # `--prefix` may move it all
string(REGEX REPLACE "/$" "" PC_PREFIX ${PC_PREFIX})
cmake_path(APPEND PC_LIBDIR "\${prefix}" ${CMAKE_INSTALL_LIBDIR}) # absolute folders stay absolute
cmake_path(APPEND PC_INCLUDEDIR "\${prefix}" ${CMAKE_INSTALL_INCLUDEDIR})
configure_file(cmake/mesh.pc.in mesh.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/mesh.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/mesh)
install(EXPORT meshTargets NAMESPACE mesh:: DESTINATION ${package_folder})
write_basic_package_version_file(meshConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES cmake/meshConfig.cmake ${PROJECT_BINARY_DIR}/meshConfigVersion.cmake DESTINATION ${package_folder})
