# Every third-party library, once. Targets of ours name dep_* or the imported targets below.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
if(GRAFT_SANITIZE STREQUAL "thread")
  # Debian's Abseil is not instrumented: the sanitizer would not see its mutexes.
  set(absl_DIR ${PROJECT_SOURCE_DIR}/.cache/abseil-tsan/lib/cmake/absl)
  if(NOT EXISTS ${absl_DIR})
    message(FATAL_ERROR "No Abseil built with the thread sanitizer: run deploy/build-tsan-abseil.sh first")
  endif()
endif()
find_package(absl REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(JPEG REQUIRED)
find_package(GTest REQUIRED)
include(GoogleTest)

# OpenCV's headers warn under C++20, so they come in as system headers.
add_library(dep_opencv INTERFACE)
target_include_directories(dep_opencv SYSTEM INTERFACE /usr/include/opencv4)
target_link_libraries(dep_opencv INTERFACE opencv_imgcodecs opencv_imgproc opencv_core)

add_library(dep_soci INTERFACE)
target_include_directories(dep_soci SYSTEM INTERFACE /usr/include/soci)
target_link_libraries(dep_soci INTERFACE soci_sqlite3 soci_core sqlite3)

pkg_check_modules(LIBARCHIVE REQUIRED IMPORTED_TARGET libarchive)

find_library(LIBCSV csv REQUIRED)
add_library(dep_csv INTERFACE)
target_link_libraries(dep_csv INTERFACE ${LIBCSV})

if(NOT GRAFT_LIGHT)
  find_package(Protobuf REQUIRED)
  find_package(ONNX REQUIRED)
  find_package(gRPC REQUIRED)
  find_package(prometheus-cpp REQUIRED)
  find_package(benchmark REQUIRED)
  pkg_check_modules(HDF5 REQUIRED IMPORTED_TARGET hdf5)

  file(GLOB site_packages ${GRAFT_VENV}/lib/python3*/site-packages)
  set(torch_root ${site_packages}/torch)
  if(NOT EXISTS ${torch_root}/lib/libtorch_cpu.so)
    message(FATAL_ERROR "No LibTorch in ${GRAFT_VENV}: run deploy/install-deps.sh first, or set GRAFT_VENV")
  endif()
  # The CPU libraries alone: libtorch_cuda.so is opened at run time where there is a GPU. The wheel ships an old
  # google/protobuf that would shadow the system's, hence -idirafter.
  add_library(dep_torch INTERFACE)
  target_compile_options(dep_torch INTERFACE "SHELL:-idirafter ${torch_root}/include"
    "SHELL:-idirafter ${torch_root}/include/torch/csrc/api/include")
  target_link_libraries(dep_torch INTERFACE Threads::Threads ${torch_root}/lib/libtorch_cpu.so ${torch_root}/lib/libc10.so)
  # The loader also needs libcudart and libcupti, from a toolkit or from the wheels.
  target_link_options(dep_torch INTERFACE -Wl,-rpath,${torch_root}/lib -Wl,--allow-shlib-undefined)

  set(OpenVINO_DIR ${site_packages}/openvino/cmake)
  find_package(OpenVINO REQUIRED COMPONENTS Runtime)
endif()
