# What links the library as a stranger would: the command, the examples, the benchmarks.
file(GLOB MESH_CLI_SOURCES CONFIGURE_DEPENDS cli/*.c)
if(MESH_CLI_SOURCES)
  add_executable(mesh_cli ${MESH_CLI_SOURCES})
  target_include_directories(mesh_cli PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(mesh_cli PRIVATE mesh PkgConfig::JANSSON Threads::Threads)
  file(RELATIVE_PATH to_libraries /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
  set_target_properties(mesh_cli PROPERTIES OUTPUT_NAME mesh RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin
                                            INSTALL_RPATH $ORIGIN/${to_libraries})
endif()

# Each file of a folder is a program of its own: FOLDER/NAME in the build folder.
function(mesh_programs folder)
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
  foreach(source ${sources})
    cmake_path(GET source STEM name)
    set(target ${folder}_${name})
    add_executable(${target} ${source})
    target_link_libraries(${target} PRIVATE mesh Threads::Threads ${ARGN})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name}
                                               RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${folder})
  endforeach()
endfunction()

mesh_programs(examples)
if(MESH_BENCH)
  add_subdirectory(bench)
endif()
if(MESH_BENCH OR MESH_TESTS)
  add_subdirectory(bench/faults)
endif()
