# find_package(mesh): the targets mesh::mesh (shared) and mesh::mesh_static.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
include(${CMAKE_CURRENT_LIST_DIR}/meshTargets.cmake)
