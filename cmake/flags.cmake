# Every warning is an error from the first commit (a flag is cheap early and dear late).
add_library(pontoon_flags INTERFACE)
target_compile_definitions(pontoon_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(pontoon_flags INTERFACE
    -Wall -Wextra -Wpedantic -Werror -Wconversion -Wsign-conversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wold-style-definition -Wredundant-decls -Wcast-qual -Wcast-align
    -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wswitch-enum -Wimplicit-fallthrough -Wformat=2
    -Wnull-dereference -Wdouble-promotion
    # Asserts and log lines name a file as it stands in the tree, wherever that was built.
    -fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=
    -fno-common -fno-strict-aliasing -fno-omit-frame-pointer -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(pontoon_flags INTERFACE
        -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init)
else()
    target_compile_options(pontoon_flags INTERFACE -Wthread-safety
        -Wno-gnu-zero-variadic-macro-arguments)
endif()

set(CMAKE_C_FLAGS_DEV "-Og -g3")
# Asserts stay on in release: NDEBUG is never defined, and base/assert.h refuses to compile with it.
set(CMAKE_C_FLAGS_RELEASE
    "-O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-clash-protection")
set(CMAKE_EXE_LINKER_FLAGS_RELEASE "-Wl,-z,relro,-z,now")
set(CMAKE_C_FLAGS_ASAN
    "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -DPONTOON_INVARIANTS=1")
set(CMAKE_C_FLAGS_TSAN "-O1 -g -fsanitize=thread -DPONTOON_INVARIANTS=1")
set(CMAKE_C_FLAGS_FUZZ
    "-O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DPONTOON_INVARIANTS=1")
set(CMAKE_C_FLAGS_ANALYZE "-O1 -g -fanalyzer")
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Dev)
endif()
