# The library in three shapes, from one set of objects: shared (mesh), static (mesh_static), and with everything visible
# for the tests (mesh_internal).
file(GLOB MESH_SOURCES CONFIGURE_DEPENDS libmesh/*/*.c libmesh/*/*/*.c)

add_library(mesh_objects OBJECT ${MESH_SOURCES})
set_target_properties(mesh_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(mesh_objects PUBLIC include libmesh PRIVATE ${XXHASH_INCLUDE_DIRS})
target_link_libraries(mesh_objects PUBLIC PkgConfig::DEPS Threads::Threads m)

# Functions of a few lines in other files are inlined in the shared library: a ninth of what its own code costs a request. The
# objects have their machine code too, of which everything else is linked.
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_BUILD_TYPE MATCHES "Rel" AND NOT MESH_SANITIZE AND NOT MESH_COVERAGE)
  set(whole_program -flto=auto)
  target_compile_options(mesh_objects PRIVATE -flto=auto -ffat-lto-objects)
endif()

add_library(mesh_internal STATIC $<TARGET_OBJECTS:mesh_objects>)
target_include_directories(mesh_internal PUBLIC include libmesh)
target_link_libraries(mesh_internal PUBLIC PkgConfig::DEPS Threads::Threads m)
if(whole_program)
  target_link_options(mesh_internal INTERFACE -fno-lto)
endif()

function(mesh_public_library target)
  target_include_directories(${target} INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                                                 $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  add_library(mesh::${target} ALIAS ${target})
endfunction()

set(version_script ${PROJECT_SOURCE_DIR}/cmake/libmesh.map)
add_library(mesh SHARED $<TARGET_OBJECTS:mesh_objects>)
mesh_public_library(mesh)
target_link_libraries(mesh PRIVATE PkgConfig::DEPS Threads::Threads m)
target_link_options(mesh PRIVATE LINKER:--version-script=${version_script} ${whole_program})
if(NOT MESH_SANITIZE) # their runtime is found in the program, not in the library
  target_link_options(mesh PRIVATE LINKER:-z,defs)
endif()
set_target_properties(mesh PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION 0 LINKER_LANGUAGE C
                                      LINK_DEPENDS ${version_script})

# Names such as buf_free() must not meet the application's own: the archive holds one object in which all that is hidden
# has become local.
set(one_object ${PROJECT_BINARY_DIR}/libmesh_one.o)
add_custom_command(
  OUTPUT ${one_object}
  COMMAND ${CMAKE_LINKER} -r -o ${one_object} $<TARGET_OBJECTS:mesh_objects>
  COMMAND ${CMAKE_OBJCOPY} --localize-hidden --wildcard --remove-section=.gnu.lto_* ${one_object}
  DEPENDS mesh_objects $<TARGET_OBJECTS:mesh_objects>
  COMMAND_EXPAND_LISTS VERBATIM)
add_library(mesh_static STATIC ${one_object})
mesh_public_library(mesh_static)
target_link_libraries(mesh_static INTERFACE ${DEPS_LIBRARIES} Threads::Threads m)
set_target_properties(mesh_static PROPERTIES OUTPUT_NAME mesh LINKER_LANGUAGE C)
