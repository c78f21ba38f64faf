# Faster builds if the machine has the tools: ccache to compile, mold to link. The results are the
# same without them. A launcher or linker that the user named is kept.
include(CheckLinkerFlag)

if(PROJECT_IS_TOP_LEVEL)
  find_program(ENPROF_CCACHE ccache)
  mark_as_advanced(ENPROF_CCACHE)
  if(ENPROF_CCACHE)
    foreach(lang IN ITEMS C CXX)
      if(NOT DEFINED CMAKE_${lang}_COMPILER_LAUNCHER)
        set(CMAKE_${lang}_COMPILER_LAUNCHER ${ENPROF_CCACHE})
      endif()
    endforeach()
  endif()

  if(NOT "${CMAKE_EXE_LINKER_FLAGS}" MATCHES "-fuse-ld=")
    check_linker_flag(CXX -fuse-ld=mold ENPROF_HAS_MOLD)
    if(ENPROF_HAS_MOLD)
      add_link_options(-fuse-ld=mold)
    endif()
  endif()
endif()
