# Each *_test.c is a program and a test of its own, named after its path: unit/base/buf, component/retry. The other .c
# files beside them are helpers that every test may use.
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(sanitizer_environment
    ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=1:strict_string_checks=1
    UBSAN_OPTIONS=print_stacktrace=1
    TSAN_OPTIONS=allocator_may_return_null=1:halt_on_error=1:second_deadlock_stack=1)
set(hang_guard 120)
if(MESH_SANITIZE)
  set(hang_guard 300)
endif()

file(GLOB helper_sources CONFIGURE_DEPENDS tests/*.c tests/support/*.c tests/component/*.c tests/sim/*.c
     tests/unit/*/*.c tests/unit/*/*/*.c)
set(test_sources ${helper_sources})
list(FILTER test_sources INCLUDE REGEX "_test\\.c$")
list(FILTER helper_sources EXCLUDE REGEX "_test\\.c$")

add_library(mesh_test INTERFACE)
target_include_directories(mesh_test INTERFACE tests ${PROJECT_SOURCE_DIR})
target_compile_definitions(mesh_test INTERFACE MESH_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_link_libraries(mesh_test INTERFACE mesh_internal PkgConfig::CMOCKA)
set(test_libraries mesh_test)
if(helper_sources)
  add_library(mesh_test_helpers STATIC ${helper_sources})
  target_link_libraries(mesh_test_helpers PUBLIC mesh_test)
  list(PREPEND test_libraries mesh_test_helpers)
endif()

foreach(source ${test_sources})
  cmake_path(RELATIVE_PATH source BASE_DIRECTORY ${PROJECT_SOURCE_DIR}/tests OUTPUT_VARIABLE name)
  string(REGEX REPLACE "_test\\.c$" "" name ${name})
  string(REGEX MATCH "^[a-z]+" ring ${name})
  string(REPLACE "/" "_" target test_${name})
  add_executable(${target} ${source})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(${target} PRIVATE ${test_libraries})
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${hang_guard} LABELS ${ring} ENVIRONMENT "${sanitizer_environment}")
  set_property(GLOBAL APPEND PROPERTY mesh_ring_${ring} ${target})
endforeach()

# Millions of requests in virtual time: fewer of them where each takes long.
if(MESH_SANITIZE OR MESH_COVERAGE OR CMAKE_BUILD_TYPE STREQUAL "Debug")
  set_tests_properties(sim/balance PROPERTIES ENVIRONMENT "${sanitizer_environment};MESH_SIM_SEEDS=1")
endif()

# `ninja unit`, `ninja component`, `ninja sim`: build what one ring needs.
foreach(ring unit component sim)
  get_property(targets GLOBAL PROPERTY mesh_ring_${ring})
  add_custom_target(${ring} DEPENDS ${targets})
endforeach()

# Programs that tests/system runs against real servers; they link the library as a stranger would. Those in inside/ ask its
# parts.
function(system_programs folder library)
  file(GLOB sources CONFIGURE_DEPENDS tests/system/${folder}/*.c)
  foreach(source ${sources})
    cmake_path(GET source STEM name)
    add_executable(system_${name} ${source})
    target_link_libraries(system_${name} PRIVATE ${library} PkgConfig::JANSSON Threads::Threads)
    set_target_properties(system_${name} PROPERTIES OUTPUT_NAME ${name}
                                                    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/system)
  endforeach()
endfunction()
system_programs(programs mesh)
system_programs(inside mesh_internal)

# What others get: the library installed into a prefix of its own, then found, linked and run.
if(NOT MESH_SANITIZE AND NOT MESH_COVERAGE)
  foreach(case install pkg_config cmake command)
    add_test(NAME install/${case} COMMAND ${PROJECT_SOURCE_DIR}/tests/install/run ${PROJECT_BINARY_DIR} ${case})
    set_tests_properties(install/${case} PROPERTIES TIMEOUT ${hang_guard} LABELS install FIXTURES_REQUIRED prefix
                                                    SKIP_RETURN_CODE 77)
  endforeach()
  set_tests_properties(install/install PROPERTIES FIXTURES_REQUIRED "" FIXTURES_SETUP prefix)
endif()
