# Debian's packages and no others; scripts/setup.sh installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# dep(name module): the pkg-config module as dep::name, its headers as system headers.
function(dep name module)
    pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
    add_library(dep_${name} INTERFACE)
    target_link_libraries(dep_${name} INTERFACE PkgConfig::${name})
    add_library(dep::${name} ALIAS dep_${name})
endfunction()

dep(uv libuv)
dep(lmdb lmdb)
dep(isal libisal)
dep(xxhash libxxhash)
dep(jsonc json-c)
dep(zlib zlib)
dep(crypto libcrypto)
dep(inih inih)
dep(curl libcurl)
target_link_libraries(dep_uv INTERFACE Threads::Threads)

# llhttp comes as C sources (package node-llhttp). Strict mode is not optional: Debian's own build
# is lenient, and the lenient parser accepts smuggled requests.
set(LLHTTP_DIR /usr/share/llhttp)
add_library(dep_llhttp STATIC ${LLHTTP_DIR}/llhttp.c ${LLHTTP_DIR}/api.c ${LLHTTP_DIR}/http.c)
target_compile_definitions(dep_llhttp PRIVATE LLHTTP_STRICT_MODE=1)
target_compile_options(dep_llhttp PRIVATE -O2 -g -w)
target_include_directories(dep_llhttp SYSTEM PUBLIC /usr/share/include/llhttp)
add_library(dep::llhttp ALIAS dep_llhttp)
