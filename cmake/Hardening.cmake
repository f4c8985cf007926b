# Gives kith_hardening: what makes a fault in the code harder to use against it. tests/house/hardening.sh reads the built
# programs for it. Sanitizers, which have checks of their own and no place for these, go without.

add_library(kith_hardening INTERFACE)
if(NOT KITH_SANITIZE)
  target_compile_options(kith_hardening INTERFACE -fPIE -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
    target_compile_options(kith_hardening INTERFACE -fcf-protection)
  endif()
  target_compile_definitions(kith_hardening INTERFACE _GLIBCXX_ASSERTIONS)
  # Needs optimisation. Some compilers define it themselves.
  target_compile_options(kith_hardening INTERFACE $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2>)
  target_link_options(kith_hardening INTERFACE -pie LINKER:-z,relro,-z,now,-z,noexecstack)
endif()
