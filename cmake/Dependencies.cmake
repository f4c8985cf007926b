# Everything that comes from outside: Debian's packages, and faiss.

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(OpenMP REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)  # only prometheus-cpp::core is used
find_package(PkgConfig REQUIRED)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)  # with the definitions that the library was built with
include(Faiss)
if(KITH_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(KITH_BUILD_BENCH)
  find_package(benchmark REQUIRED)
endif()
