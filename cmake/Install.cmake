# cmake --install FOLDER --prefix /usr/local: the programs, the faiss that they find from where they lie, and what systemd
# starts kithd by. kithd does not need the build folder or faiss's cache then, which its user could not read.

set(install_rpath ${openblas_folder})
if(KITH_FAISS STREQUAL "bundled")
  list(PREPEND install_rpath "$ORIGIN/../lib/kith")
  install(DIRECTORY ${faiss_folder}/lib/ DESTINATION lib/kith COMPONENT programs)
endif()
set_target_properties(kithd PROPERTIES INSTALL_RPATH "${install_rpath}")
install(TARGETS kithd kith RUNTIME DESTINATION bin COMPONENT programs)

install(FILES config/kithd.yaml LICENSE DESTINATION share/kith)
# The unit names the kithd of this prefix, which is known only now.
install(CODE "set(unit_source \"${PROJECT_SOURCE_DIR}/config/systemd/kithd.service\")")
install(CODE [[
  file(READ "${unit_source}" unit)
  string(REPLACE "/usr/local/" "${CMAKE_INSTALL_PREFIX}/" unit "${unit}")
  set(unit_folder "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/lib/systemd/system")
  file(WRITE "${unit_folder}/kithd.service" "${unit}")
  file(CHMOD "${unit_folder}/kithd.service" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
]])
