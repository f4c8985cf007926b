# kith_embed(OUTPUT file...): adds OUTPUT, a C++ source that holds the files as bytes: server/http/page_files.h says how.
# Run as a script (cmake -DOUTPUT=... -DFILES=... -P EmbedFiles.cmake) it writes that source.
function(kith_embed output)
  list(TRANSFORM ARGN PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" OUTPUT_VARIABLE files)
  string(REPLACE ";" "|" joined "${files}")
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} "-DFILES=${joined}" -P ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    DEPENDS ${files} ${PROJECT_SOURCE_DIR}/cmake/EmbedFiles.cmake
    VERBATIM)
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE OR NOT OUTPUT)
  return()
endif()

string(REPLACE "|" ";" FILES "${FILES}")
set(arrays "")
set(entries "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  string(MAKE_C_IDENTIFIER "${name}" identifier)
  file(READ "${file}" bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "constexpr char ${identifier}[] = {${bytes}};\n")
  string(APPEND entries "      {\"${name}\", {${identifier}, sizeof(${identifier})}},\n")
endforeach()
file(WRITE "${OUTPUT}" "// Made by cmake/EmbedFiles.cmake.
#include \"server/http/page_files.h\"

namespace kith::http {
namespace {
${arrays}
}  // namespace

const std::vector<PageFile>& PageFiles() {
  static const auto& files = *new std::vector<PageFile>{
${entries}  };
  return files;
}

}  // namespace kith::http
")
