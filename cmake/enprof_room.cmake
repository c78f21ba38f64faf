# Defines one room: the folder's sources as one static library, its *_test.cpp as one test program.
# LINKS names the rooms that it may use; tools/check_layers proves the includes.
#
#   enprof_room(power LINKS enprof_model PRIVATE_LINKS SQLiteCpp FOLDERS rapl nvml)
#
#   THREADED    several threads use the room's code: its tests also run under ThreadSanitizer
#   SHARDS n    its tests run in n processes, so that two CPUs share a long-running room
#   ALONE file  this file is compiled by itself in a unity build
#   OPTIMIZED   also under sanitizers: its tests would take minutes, or check that it keeps up
#   COLD        runs once for a command: in release builds -O1, which compiles in two thirds of the time
function(enprof_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "THREADED;OPTIMIZED;COLD" "SHARDS"
                        "LINKS;PRIVATE_LINKS;TEST_LINKS;FOLDERS;ALONE")

  set(patterns ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(folder IN LISTS arg_FOLDERS)
    list(APPEND patterns ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  enprof_unity(enprof_${room} sources ALONE ${arg_ALONE})
  add_library(enprof_${room} STATIC ${sources})
  target_include_directories(enprof_${room} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                                   ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(enprof_${room} PUBLIC enprof_options ${arg_LINKS}
                                       PRIVATE ${arg_PRIVATE_LINKS})
  if(arg_OPTIMIZED AND ENPROF_SANITIZE)
    target_compile_options(enprof_${room} PRIVATE -O1)
  endif()
  if(arg_COLD)
    target_compile_options(enprof_${room} PRIVATE $<$<CONFIG:Release>:-O1>)
  endif()

  set(wanted ${ENPROF_BUILD_TESTS})
  if(ENPROF_SANITIZE MATCHES "thread" AND NOT arg_THREADED)
    set(wanted OFF)
  endif()
  if(wanted AND tests)
    enprof_unity(${room}_test tests)
    add_executable(${room}_test ${tests})
    target_include_directories(${room}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${room}_test PRIVATE enprof_${room} ${arg_PRIVATE_LINKS}
                                               ${arg_TEST_LINKS} GTest::gmock_main)
    enprof_unit_tests(${room} "${arg_SHARDS}")
  endif()
endfunction()

# One ctest entry for the tests of a room, or one for each shard. tools/run-tests lists the skipped
# tests.
function(enprof_unit_tests room shards)
  add_dependencies(unit_tests ${room}_test)
  if(NOT shards)
    add_test(NAME unit.${room} COMMAND ${room}_test)
    set_tests_properties(unit.${room} PROPERTIES LABELS unit TIMEOUT 900)
    return()
  endif()
  foreach(number RANGE 1 ${shards})
    math(EXPR index "${number} - 1")
    add_test(NAME unit.${room}.${number} COMMAND ${room}_test)
    set_tests_properties(unit.${room}.${number} PROPERTIES LABELS unit TIMEOUT 900
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${shards};GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()

# With ENPROF_UNITY the compiler reads so many sources of a target at a time, and their headers
# once: the sources in the variable are replaced by files that include them. tools/unity chooses
# which go together; it runs again when a source has changed.
function(enprof_unity target variable)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "ALONE")
  if(NOT ENPROF_UNITY)
    return()
  endif()
  set(together ${${variable}})
  foreach(file IN LISTS arg_ALONE)
    list(REMOVE_ITEM together ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  endforeach()
  set(alone ${${variable}})
  list(REMOVE_ITEM alone ${together})
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/${target}.unity)
  execute_process(COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/tools/unity ${ENPROF_UNITY} ${folder}
                          ${together}
                  OUTPUT_VARIABLE written COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" written "${written}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               ${together} ${PROJECT_SOURCE_DIR}/tools/unity)
  # g++ treats an included source as a header, and warns about types from unnamed namespaces in it.
  set_source_files_properties(${written} PROPERTIES
    INCLUDE_DIRECTORIES ${PROJECT_SOURCE_DIR}
    COMPILE_OPTIONS $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  set(${variable} ${written} ${alone} PARENT_SCOPE)
endfunction()
