#include "node/stages.h"

void stages_add(struct stages *stages, uint64_t index, uint64_t ns)
{
    if (index == 0) {
        return;
    }
    uint32_t last = (stages->begin + stages->count - 1) % STAGES_MAX;
    if (stages->count > 0 && index <= stages->items[last].index) {
        stages->count = 0;
    }
    if (stages->count < STAGES_MAX) {
        last = (stages->begin + stages->count) % STAGES_MAX;
        stages->count++;
    }
    stages->items[last].index = index;
    stages->items[last].ns = ns;
}

uint64_t stages_at(struct stages *stages, uint64_t index)
{
    while (stages->count > 0 && stages->items[stages->begin].index < index) {
        stages->begin = (stages->begin + 1) % STAGES_MAX;
        stages->count--;
    }
    return stages->count > 0 ? stages->items[stages->begin].ns : 0;
}
