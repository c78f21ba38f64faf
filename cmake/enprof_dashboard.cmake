# Builds the dashboard with npm and embeds it into the program; without Node.js 20, an empty list.
# Defines the target enprof_dashboard.
find_program(ENPROF_NODE node)
find_program(ENPROF_NPM npm)
mark_as_advanced(ENPROF_NODE ENPROF_NPM)

set(ENPROF_HAS_NODE OFF)
if(ENPROF_NODE AND ENPROF_NPM)
  execute_process(COMMAND ${ENPROF_NODE} --version OUTPUT_VARIABLE node_version
                  OUTPUT_STRIP_TRAILING_WHITESPACE)
  string(REGEX REPLACE "^v" "" node_version "${node_version}")
  if(node_version VERSION_GREATER_EQUAL 20)
    set(ENPROF_HAS_NODE ON)
  endif()
endif()
option(ENPROF_BUILD_DASHBOARD "Build the dashboard with npm" ${ENPROF_HAS_NODE})

enable_language(ASM)
set(web ${PROJECT_SOURCE_DIR}/web)
set(stem ${PROJECT_BINARY_DIR}/dashboard/assets)
set(pages ${PROJECT_BINARY_DIR}/dashboard/none)
set(built)
if(ENPROF_BUILD_DASHBOARD)
  # Built once for all presets, in the sources' own folder, as npm requires. The lock keeps two
  # presets that are built at the same time from disturbing each other.
  file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${web}/src/* ${web}/public/*)
  set(pages ${web}/dist)
  set(built ${PROJECT_BINARY_DIR}/dashboard/built)
  add_custom_command(
    OUTPUT ${built}
    COMMAND ${PROJECT_SOURCE_DIR}/tools/build-dashboard
    COMMAND ${CMAKE_COMMAND} -E touch ${built}
    DEPENDS ${web_sources} ${web}/package.json ${web}/package-lock.json ${web}/index.html
            ${web}/vite.config.ts ${web}/tsconfig.json ${PROJECT_SOURCE_DIR}/tools/build-dashboard
    WORKING_DIRECTORY ${web}
    COMMENT "Building the dashboard"
    VERBATIM)
endif()
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/dashboard)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_custom_command(
  OUTPUT ${stem}.S ${stem}.cpp
  COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/embed_assets ${pages} ${stem}
  DEPENDS ${built} ${PROJECT_SOURCE_DIR}/tools/embed_assets
  VERBATIM)
add_library(enprof_dashboard STATIC ${stem}.cpp ${stem}.S)
target_include_directories(enprof_dashboard PRIVATE ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(enprof_dashboard PRIVATE enprof_options)
