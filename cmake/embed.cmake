# What the server tells of itself is written in docs/ and made a part of the program: C that is made
# in the build directory.
find_package(Python3 REQUIRED COMPONENTS Interpreter)

# pontoon_embed(layer kind pattern file...): the files of docs/<pattern>, by scripts/embed.py <kind>,
# as a source of that layer. Each is named in the command: it runs anew when one comes or goes, too.
# The other files are what it reads besides.
function(pontoon_embed layer kind pattern)
    list(TRANSFORM ARGN PREPEND ${PROJECT_SOURCE_DIR}/ OUTPUT_VARIABLE others)
    set(target ${PROJECT_BINARY_DIR}/embedded/${kind}.c)
    file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/${pattern})
    add_custom_command(OUTPUT ${target}
        COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/scripts/embed.py
                ${kind} ${target} ${files}
        DEPENDS ${files} ${others} ${PROJECT_SOURCE_DIR}/scripts/embed.py
        COMMENT "embedding docs/${pattern}" VERBATIM)
    target_sources(pontoon_${layer} PRIVATE ${target})
endfunction()
