# One library per room of the house (docs/architecture.md), one test program per room.

add_library(kith_options INTERFACE)
target_compile_options(kith_options INTERFACE -Wall -Wextra -Wpedantic)
include(Hardening)
target_link_libraries(kith_options INTERFACE kith_hardening)
if(KITH_SANITIZE)
  target_compile_options(kith_options INTERFACE -fsanitize=${KITH_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(kith_options INTERFACE -fsanitize=${KITH_SANITIZE})
endif()

if(KITH_FUZZ)
  target_compile_options(kith_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# kith_library(NAME SOURCES file... [LINK target...]): the library kith_NAME, alias kith::NAME. Includes start at the
# top of the project, so that every #include names its room.
function(kith_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(kith_${name} STATIC ${arg_SOURCES})
  add_library(kith::${name} ALIAS kith_${name})
  target_include_directories(kith_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(kith_${name} PUBLIC ${arg_LINK} PRIVATE kith_options)
endfunction()

# kith_test(NAME SOURCES file... [LINK target...]): a GoogleTest program and its cases in ctest, named NAME.<suite>.<case>.
function(kith_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LINK" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_executable(${name}_test ${arg_SOURCES})
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_test PRIVATE ${arg_LINK} GTest::gmock GTest::gtest_main kith_options)
  gtest_discover_tests(${name}_test TEST_PREFIX ${name}. DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT ${arg_TIMEOUT})
endfunction()
