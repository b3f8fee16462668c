# One static library a layer; each links only what its line in the root file names.

# pontoon_layer(name LINKS lib...): src/<name>/*.c, all but main.c, as the static library
# pontoon_<name> (lib<name>.a), alias <name>.
function(pontoon_layer name)
    cmake_parse_arguments(ARG "" "" "LINKS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/*.c)
    list(FILTER sources EXCLUDE REGEX "/main\\.c$")
    if(NOT sources)
        add_library(pontoon_${name} INTERFACE)
        target_link_libraries(pontoon_${name} INTERFACE ${ARG_LINKS})
    else()
        add_library(pontoon_${name} STATIC ${sources})
        set_target_properties(pontoon_${name} PROPERTIES OUTPUT_NAME ${name})
        target_include_directories(pontoon_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
        target_link_libraries(pontoon_${name} PUBLIC ${ARG_LINKS} PRIVATE pontoon_flags)
    endif()
    add_library(${name} ALIAS pontoon_${name})
endfunction()

# pontoon_program(name LAYER layer): src/<layer>/main.c and that layer's library as one executable.
function(pontoon_program name)
    cmake_parse_arguments(ARG "" "LAYER" "" ${ARGN})
    file(GLOB source CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${ARG_LAYER}/main.c)
    if(NOT source)
        return()
    endif()
    add_executable(${name} ${source})
    set_target_properties(${name} PROPERTIES ENABLE_EXPORTS ON) # names in the backtrace of an assert
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${name} PRIVATE ${ARG_LAYER} pontoon_flags)
endfunction()
