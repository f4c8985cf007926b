# Gives kith::faiss and kith::openblas.
#
# The system's alternative for BLAS may point at OpenBLAS's pthread build, which does not heed omp_set_num_threads; the
# OpenMP build is therefore named by its full path, and found again at run time by RUNPATH.

set(openblas_folder /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp)
if(NOT EXISTS ${openblas_folder}/libopenblas.so)
  message(FATAL_ERROR "${openblas_folder}/libopenblas.so is missing: install libopenblas-openmp-dev, or run scripts/setup.sh")
endif()
add_library(kith_openblas INTERFACE)
add_library(kith::openblas ALIAS kith_openblas)
target_link_libraries(kith_openblas INTERFACE ${openblas_folder}/libopenblas.so OpenMP::OpenMP_CXX)
target_include_directories(kith_openblas SYSTEM INTERFACE /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp)
list(APPEND CMAKE_BUILD_RPATH ${openblas_folder})

add_library(kith_faiss INTERFACE)
add_library(kith::faiss ALIAS kith_faiss)
if(KITH_FAISS STREQUAL "bundled")
  message(STATUS "faiss: from the cache, else compiled now (some minutes, once)")
  # CMake puts its own compiler into CXX. Fuzzing takes clang for Kith alone.
  if(KITH_FUZZ)
    set(ENV{CXX} c++)
  endif()
  execute_process(
    COMMAND ${PROJECT_SOURCE_DIR}/scripts/build_faiss.sh
    OUTPUT_VARIABLE faiss_folder OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE faiss_result)
  if(NOT faiss_result EQUAL 0)
    message(FATAL_ERROR "scripts/build_faiss.sh failed; -DKITH_FAISS=system uses the installed (slower) libfaiss")
  endif()
  target_link_libraries(kith_faiss INTERFACE ${faiss_folder}/lib/libfaiss.so kith::openblas)
  target_include_directories(kith_faiss SYSTEM INTERFACE ${faiss_folder}/include)
  list(APPEND CMAKE_BUILD_RPATH ${faiss_folder}/lib)
elseif(KITH_FAISS STREQUAL "system")
  find_package(faiss CONFIG REQUIRED)
  target_link_libraries(kith_faiss INTERFACE kith::openblas faiss)
else()
  message(FATAL_ERROR "KITH_FAISS is ${KITH_FAISS}; it must be bundled or system")
endif()
target_compile_definitions(kith_faiss INTERFACE KITH_FAISS_ORIGIN="${KITH_FAISS}")
message(STATUS "faiss: ${KITH_FAISS} ${faiss_folder}")
