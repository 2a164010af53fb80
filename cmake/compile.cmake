# How every C file of the project is compiled.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings
                    -Wformat=2 -Wvla -Wundef -fno-common)
if(MESH_WERROR)
  add_compile_options(-Werror)
endif()
if(MESH_SANITIZE)
  add_compile_options(-fsanitize=${MESH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${MESH_SANITIZE})
  # Instrumented code hides ranges of values from gcc, which then guesses that any number may be printed; the other builds check.
  if(CMAKE_C_COMPILER_ID STREQUAL GNU)
    add_compile_options(-Wno-format-truncation)
  endif()
endif()
if(MESH_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
