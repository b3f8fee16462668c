# cmake -D SOURCE=… -D TARGET=… -P commit.cmake: writes TARGET, a C file that says from which commit
# the sources in SOURCE are. Only if that has changed, so that nothing is built anew without need.
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty=+ --abbrev=12 --match=
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(commit STREQUAL "")
    set(commit "unknown") # not a clone, or no git
endif()
file(CONFIGURE OUTPUT ${TARGET} @ONLY CONTENT [[
#include "sim/sim.h"

const char sim_commit[] = "@commit@";
]])
