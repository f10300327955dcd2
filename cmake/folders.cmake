# One static library per folder of src/.  A folder's unit tests (*_test.c) and
# fuzzers (*_fuzz.c) stand beside what they test and are found by their names.
find_package(PkgConfig REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET openssl)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
# Its header only: the program loads it where it is needed.
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(IDN2 REQUIRED IMPORTED_TARGET libidn2)
# Debian's libunbound.pc asks for libevent, which its plain interface does not need.
find_library(UNBOUND_LIBRARY unbound REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
pkg_check_modules(CRYPT REQUIRED IMPORTED_TARGET libxcrypt)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)

include_directories(${CMAKE_SOURCE_DIR}/src ${CMAKE_BINARY_DIR}/generated)

enable_testing()
set(ALL_TESTS "")

# folder(NAME LIBRARIES...): the library postrider_NAME from src/NAME/*.c
function(folder name)
  string(REPLACE "/" "_" target "${name}")
  file(GLOB all CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.c)
  if(name STREQUAL "proc")
    # The roles: one folder each, together one library.
    file(GLOB roles CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/proc/*/*.c)
    list(APPEND all ${roles})
  endif()
  set(sources "")
  set(tests "")
  set(fuzzers "")
  foreach(file ${all})
    if(file MATCHES "_test\\.c$")
      list(APPEND tests ${file})
    elseif(file MATCHES "_fuzz\\.c$")
      list(APPEND fuzzers ${file})
    else()
      list(APPEND sources ${file})
    endif()
  endforeach()
  list(APPEND sources ${${target}_EXTRA_SOURCES})
  if(NOT sources)
    return()
  endif()
  if(FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link,address,undefined)
  endif()
  add_library(postrider_${target} STATIC ${sources})
  target_link_libraries(postrider_${target} PUBLIC ${ARGN})
  foreach(file ${tests})
    get_filename_component(test ${file} NAME_WE)
    add_executable(${test} ${file})
    target_link_libraries(${test} postrider_${target} PkgConfig::CMOCKA)
    target_compile_definitions(${test} PRIVATE
      TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    set_target_properties(${test} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
    add_test(NAME ${test} COMMAND ${test})
  endforeach()
  foreach(file ${fuzzers})
    get_filename_component(fuzzer ${file} NAME_WE)
    if(FUZZ)
      add_executable(${fuzzer} ${file})
      target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer,address,undefined)
    else()
      # Without libFuzzer the same entry point replays the corpus, as a test.
      add_executable(${fuzzer} ${file} ${CMAKE_SOURCE_DIR}/tools/fuzz_replay.c)
      add_test(NAME ${fuzzer} COMMAND ${fuzzer}
        ${CMAKE_SOURCE_DIR}/test/corpus/${fuzzer})
    endif()
    target_link_libraries(${fuzzer} postrider_${target})
    set_target_properties(${fuzzer} PROPERTIES
      RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
  endforeach()
endfunction()

folder(base)
folder(io postrider_base PkgConfig::UV ${UNBOUND_LIBRARY})

# Texts, and a program of ours, tools/NAME.c, that turns them into the tables DATA.
function(texts name data)
  file(GLOB files CONFIGURE_DEPENDS ${ARGN})
  add_executable(${name} ${CMAKE_SOURCE_DIR}/tools/${name}.c)
  target_link_libraries(${name} postrider_base)
  if(FUZZ)
    target_link_options(${name} PRIVATE -fsanitize=address,undefined)
  endif()
  add_custom_command(OUTPUT ${data}
    COMMAND ${name} ${data} ${files}
    DEPENDS ${name} ${files} VERBATIM)
endfunction()
# A unit test that runs the program, whose place is told it as MACRO.
function(tests_generator test name macro)
  if(TARGET ${test})
    target_compile_definitions(${test} PRIVATE ${macro}="$<TARGET_FILE:${name}>")
    add_dependencies(${test} ${name})
  endif()
endfunction()
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated)

# The catalogue of replies, and its translations.
set(replies_EXTRA_SOURCES ${CMAKE_BINARY_DIR}/generated/catalogue_data.c
  ${CMAKE_BINARY_DIR}/generated/language_data.c)
texts(catalogue_gen ${CMAKE_BINARY_DIR}/generated/catalogue_data.c
  ${CMAKE_SOURCE_DIR}/src/replies/catalogue/*.txt)
texts(po_gen ${CMAKE_BINARY_DIR}/generated/language_data.c ${CMAKE_SOURCE_DIR}/src/replies/po/*.po)
folder(replies postrider_base)
tests_generator(catalogue_test catalogue_gen CATALOGUE_GEN)
tests_generator(language_test po_gen PO_GEN)

# The style and the script of the web reference are files; the program carries them.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/generated/web)
set(WEB_ASSETS "/* Made of src/web/assets by cmake/folders.cmake. */\n")
foreach(asset style:style.css script:reference.js)
  string(REPLACE ":" ";" asset ${asset})
  list(GET asset 0 name)
  list(GET asset 1 file)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/src/web/assets/${file})
  file(READ ${CMAKE_SOURCE_DIR}/src/web/assets/${file} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND WEB_ASSETS "static const unsigned char web_${name}[] = {${bytes}};\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/generated/web/web_assets.h CONTENT "${WEB_ASSETS}" @ONLY)

folder(sasl postrider_base PkgConfig::SSL PkgConfig::JANSSON)
folder(smtp postrider_base postrider_replies postrider_sasl)
folder(mime postrider_base postrider_replies)

# The rules for what providers say.
set(rules_EXTRA_SOURCES ${CMAKE_BINARY_DIR}/generated/rules_data.c)
texts(rules_gen ${rules_EXTRA_SOURCES} ${CMAKE_SOURCE_DIR}/src/rules/data/*.txt)
folder(rules postrider_base postrider_replies postrider_mime)
tests_generator(rules_test rules_gen RULES_GEN)
folder(web postrider_base postrider_replies postrider_rules)
folder(mailauth postrider_base)
folder(check postrider_base postrider_replies postrider_mailauth PkgConfig::SSL)
folder(route postrider_base postrider_conf)
folder(sched postrider_base postrider_route)
folder(tls postrider_base PkgConfig::SSL)
folder(table postrider_base postrider_io)
folder(spool postrider_base postrider_io)
folder(ledger postrider_base postrider_io postrider_spool)
folder(store postrider_base postrider_io postrider_spool)
folder(ipc postrider_base postrider_io)
folder(providers postrider_base)
folder(conf postrider_base postrider_providers)
folder(event postrider_base postrider_io postrider_conf)
folder(proc postrider_base postrider_io postrider_mailauth postrider_sasl postrider_smtp postrider_replies postrider_web postrider_rules postrider_mime
  postrider_route postrider_sched postrider_tls postrider_table postrider_store postrider_spool postrider_ledger
  postrider_ipc postrider_conf
  postrider_event PkgConfig::JANSSON PkgConfig::CRYPT PkgConfig::IDN2 PkgConfig::SECCOMP)

# The sub-commands are a library, so that their tests can call them; main() is not in it.
file(GLOB cli_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.c)
set(cli_tests ${cli_sources})
list(FILTER cli_tests INCLUDE REGEX "_test\\.c$")
list(FILTER cli_sources EXCLUDE REGEX "_test\\.c$|/main\\.c$")
add_library(postrider_cli STATIC ${cli_sources})
target_link_libraries(postrider_cli PUBLIC postrider_proc postrider_check PkgConfig::JANSSON)
add_executable(postrider ${CMAKE_SOURCE_DIR}/src/cli/main.c)
target_link_libraries(postrider postrider_cli)
foreach(file ${cli_tests})
  get_filename_component(test ${file} NAME_WE)
  add_executable(${test} ${file})
  target_link_libraries(${test} postrider_cli PkgConfig::CMOCKA)
  target_compile_definitions(${test} PRIVATE TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  set_target_properties(${test} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  add_test(NAME ${test} COMMAND ${test})
endforeach()

# Measures the spool alone: make bench-spool.
add_executable(spool_bench ${CMAKE_SOURCE_DIR}/bench/spool_bench.c)
target_link_libraries(spool_bench postrider_spool)
set_target_properties(spool_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)

# Fills a spool for make bench-huge.
add_executable(spool_fill EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/spool_fill.c)
target_link_libraries(spool_fill postrider_spool)
set_target_properties(spool_fill PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)

# What a handshake costs without a network: make bench-tls.
add_executable(tls_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/tls_bench.c)
target_link_libraries(tls_bench postrider_proc)
set_target_properties(tls_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)

# How many bounces a second are understood: build/bench/why_bench test/bounces.
add_executable(why_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/why_bench.c)
target_link_libraries(why_bench postrider_rules)
set_target_properties(why_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)

# How many bytes a second are read and converted for old servers: build/bench/convert_bench.
add_executable(convert_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/convert_bench.c)
target_link_libraries(convert_bench postrider_mime)
set_target_properties(convert_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
