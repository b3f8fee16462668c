#include "main/pause.h"

#include "env/uv.h"

struct pause {
    struct env_timer timer;
    bool is_over;
};

static void on_over(struct env_timer *timer)
{
    CONTAINER_OF(timer, struct pause, timer)->is_over = true;
}

void main_pause(struct env *env, uint64_t ms)
{
    struct pause pause = {.is_over = false};
    env_timer_init(env, &pause.timer, on_over);
    env_timer_start(&pause.timer, ms, 0);
    while (!pause.is_over) {
        env_uv_run_once(env, true);
    }
    env_timer_deinit(&pause.timer);
}
