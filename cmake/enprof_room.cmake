# One room of the house: the folder's sources as one static library, its *_test.cpp as one test
# program. Rooms that a room may use are named in LINKS; tools/check_layers proves the includes.
#
#   enprof_room(power LINKS enprof_model PRIVATE_LINKS SQLiteCpp FOLDERS rapl nvml)
function(enprof_room room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINKS;PRIVATE_LINKS;TEST_LINKS;FOLDERS")

  set(patterns ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(folder IN LISTS arg_FOLDERS)
    list(APPEND patterns ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|/main)\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")

  add_library(enprof_${room} STATIC ${sources})
  target_include_directories(enprof_${room} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                                   ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(enprof_${room} PUBLIC enprof_options ${arg_LINKS}
                                       PRIVATE ${arg_PRIVATE_LINKS})

  if(ENPROF_BUILD_TESTS AND tests)
    add_executable(${room}_test ${tests})
    target_include_directories(${room}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${room}_test PRIVATE enprof_${room} ${arg_PRIVATE_LINKS}
                                               ${arg_TEST_LINKS} GTest::gmock_main)
    gtest_discover_tests(${room}_test TEST_PREFIX ${room}. PROPERTIES LABELS unit
                         DISCOVERY_TIMEOUT 60)
  endif()
endfunction()
