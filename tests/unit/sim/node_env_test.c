#include "base/assert.h"
#include "sim_testing.h"

/* ---- a life that notes what happens to it ---- */

static struct env *env; /* of host 1 of the test's simulation */
static char noted[256];

static struct sim *one_life(void)
{
    struct sim *sim = testing_sim(1);
    sim->hosts[1]->clock_offset_ns = 0;
    env = testing_life(sim, 1);
    noted[0] = '\0';
    return sim;
}

static void note(const char *what)
{
    size_t size = strlen(noted);
    int count = snprintf(noted + size, sizeof(noted) - size, "%s ", what);
    assert_true(count > 0 && (size_t)count < sizeof(noted) - size);
}

static void in_life(void (*code)(void *ctx), void *ctx)
{
    assert_int_equal(env_sim_call(env, code, ctx), ENV_RUNS);
}

/* ---- timers and turns ---- */

static struct env_timer timers[2];

static void on_first(struct env_timer *timer)
{
    (void)timer;
    note("first");
}

static void on_second(struct env_timer *timer)
{
    (void)timer;
    note("second");
}

static void on_hook(struct env_turn *turn)
{
    (void)turn;
    note("|");
}

static struct env_turn hook = {.run = on_hook};

static void start_timers(void *ctx)
{
    const uint64_t *delays = ctx;
    env_timer_init(env, &timers[0], on_first);
    env_timer_init(env, &timers[1], on_second);
    env_timer_start(&timers[0], delays[0], delays[2]);
    env_timer_start(&timers[1], delays[1], 0);
    env_turn_add(env, &hook);
}

static void stop_timers(void *ctx)
{
    (void)ctx;
    env_timer_stop(&timers[0]);
    env_timer_deinit(&timers[1]);
    env_timer_deinit(&timers[1]);
}

static void what_comes_in_within_one_turn_has_one_hook(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    sim->plan.turn_ns = 2 * SIM_MS;
    in_life(start_timers, (uint64_t[]){3, 4, 2});
    testing_run_for(sim, 5 * SIM_MS);
    assert_string_equal(noted, "first second | ");
    testing_run_for(sim, 2 * SIM_MS);
    assert_string_equal(noted, "first second | first | ");
}

static void a_timer_repeats_until_it_is_stopped(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(start_timers, (uint64_t[]){2, 7, 2});
    testing_run_for(sim, 9 * SIM_MS);
    assert_string_equal(noted, "first | first | first | second | first | ");
    in_life(stop_timers, NULL);
    testing_run_for(sim, 9 * SIM_MS);
    assert_string_equal(noted, "first | first | first | second | first | ");
}

static void a_fast_clock_fires_early_and_tells_more(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    sim->hosts[1]->clock_ppm = 100000;
    sim->hosts[1]->wall_skew_ms = -5;
    in_life(start_timers, (uint64_t[]){11, 30, 0});
    testing_run_for(sim, 9 * SIM_MS);
    assert_string_equal(noted, "");
    testing_run_for(sim, 3 * SIM_MS / 2);
    assert_string_equal(noted, "first | ");
    testing_run_for(sim, 989 * SIM_MS + SIM_MS / 2);
    assert_int_equal(env_now_ms(env), 1100);
    assert_int_equal(env_now_ns(env), 1100 * SIM_MS);
    uint64_t wall_ms = env_wall_ms(env);
    sim->hosts[1]->wall_skew_ms = 0;
    assert_int_equal(env_wall_ms(env) - wall_ms, 5);
}

static void a_stopped_process_runs_nothing_and_then_all_of_it_in_order(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(start_timers, (uint64_t[]){2, 3, 0});
    host_pause(sim->hosts[1], 50 * SIM_MS);
    testing_run_for(sim, 49 * SIM_MS);
    assert_string_equal(noted, "");
    testing_run_for(sim, 2 * SIM_MS);
    assert_string_equal(noted, "first second | ");
}

static void a_wake_is_one_turn_more(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(start_timers, (uint64_t[]){100, 100, 0});
    env_turn_wake(env);
    env_turn_wake(env);
    testing_run_for(sim, SIM_MS);
    assert_string_equal(noted, "| ");
}

/* ---- workers ---- */

static struct env_worker *worker;
static struct env_job jobs[3];
static struct env_file *file;
static uint64_t done_ns[3];

static void write_and_sync(void)
{
    uint8_t bytes[600] = {1};
    struct iovec part = {bytes, sizeof(bytes)};
    assert_int_equal(env_file_write(file, 0, &part, 1), OK);
    assert_int_equal(env_file_sync(file), OK);
}

static void run_job(struct env_job *job)
{
    const char *const names[] = {"run-0", "run-1", "run-2"};
    note(names[job - jobs]);
    write_and_sync();
}

static void job_done(struct env_job *job)
{
    const char *const names[] = {"done-0", "done-1", "done-2"};
    note(names[job - jobs]);
    done_ns[job - jobs] = world_now_ns(env->sim->world);
}

static void open_worker(void *ctx)
{
    (void)ctx;
    struct err_note why = {.text = ""};
    assert_int_equal(disk_make_directory(env->host->disk, "d"), OK);
    assert_int_equal(env_file_open(env, "d/file", ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, &why),
                     OK);
    assert_int_equal(env_worker_open(env, "worker", &worker), OK);
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = (struct env_job){.run = run_job, .done = job_done};
        env_worker_submit(worker, &jobs[i]);
    }
}

static void close_worker(void *ctx)
{
    (void)ctx;
    env_worker_close(worker);
}

static void jobs_run_one_after_the_other_and_take_their_time(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(open_worker, NULL);
    assert_string_equal(noted, "");
    testing_run_for(sim, SIM_SECOND);
    assert_string_equal(noted, "run-0 done-0 run-1 done-1 run-2 done-2 ");
    assert_true(done_ns[1] - done_ns[0] > sim->plan.sync_ns / 2);
    assert_true(inode_is_clean(disk_find(sim->hosts[1]->disk, "d/file")));
}

static void a_stalled_disk_ends_its_syncs_late(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    sim->hosts[1]->stalled_until_ns = 3 * SIM_SECOND;
    in_life(open_worker, NULL);
    testing_run_for(sim, 2900 * SIM_MS);
    assert_string_equal(noted, ""); /* a job's effects come at its end */
    testing_run_for(sim, SIM_SECOND);
    assert_string_equal(noted, "run-0 done-0 run-1 done-1 run-2 done-2 ");
}

static void closing_a_worker_runs_what_was_submitted(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(open_worker, NULL);
    in_life(close_worker, NULL);
    assert_string_equal(noted, "run-0 done-0 run-1 done-1 run-2 done-2 ");
    testing_run_for(sim, SIM_SECOND);
    assert_string_equal(noted, "run-0 done-0 run-1 done-1 run-2 done-2 ");
}

static void blocking_on_the_disk_holds_up_the_loop(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(open_worker, NULL);
    in_life(close_worker, NULL); /* three syncs of the loop's own */
    assert_true(env->held_until_ns >= world_now_ns(sim->world) + sim->plan.sync_ns);
}

/* ---- ends ---- */

static void five_effects(void *ctx)
{
    (void)ctx;
    struct err_note why = {.text = ""};
    struct iovec part = {(void *)(uintptr_t) "x", 1};
    assert_int_equal(env_dir_create(env, "d", &why), OK);
    assert_int_equal(env_file_open(env, "d/file", ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, &why),
                     OK);
    assert_int_equal(env_file_write(file, 0, &part, 1), OK);
    assert_int_equal(env_file_sync(file), OK);
    assert_int_equal(env_dir_sync(env, "d"), OK);
    note("all");
}

static void a_crash_comes_before_each_effect(void **state)
{
    (void)state;
    for (uint64_t effects = 1; effects <= 6; effects++) {
        struct sim *sim = one_life();
        const struct disk *disk = sim->hosts[1]->disk;
        env->effects_until_crash = effects;
        enum env_end end = env_sim_call(env, five_effects, NULL);
        const struct inode *inode = disk_find(disk, "d/file");
        assert_int_equal(end, effects <= 5 ? ENV_CRASHED : ENV_RUNS);
        assert_int_equal(env->is_dead, effects <= 5);
        assert_string_equal(noted, effects <= 5 ? "" : "all ");
        assert_int_equal(disk_is_directory(disk, "d"), effects > 1);
        assert_int_equal(inode != NULL, effects > 2);
        assert_int_equal(inode != NULL && inode_size(inode) > 0, effects > 3);
        assert_int_equal(inode != NULL && inode_size(inode) > 0 && inode_is_clean(inode),
                         effects > 4);
        assert_null(env_sim_running());
    }
}

static void end_fatally(void *ctx)
{
    (void)ctx;
    fatal(0, "the %s is gone", "ground");
}

static void a_fatal_end_is_the_lifes_alone(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    assert_int_equal(env_sim_call(env, end_fatally, NULL), ENV_FATAL);
    assert_true(env->is_dead);
    assert_string_equal(sim->hosts[1]->last_words, "the ground is gone");
    env = testing_life(sim, 1);
    in_life(five_effects, NULL);
}

static void break_an_assert(void *ctx)
{
    (void)ctx;
    ASSERT(noted[0] == 'x');
}

static void run_a_broken_node(struct sim *sim)
{
    (void)sim;
    (void)env_sim_call(env, break_an_assert, NULL);
}

static void a_nodes_assert_is_a_finding(void **state)
{
    (void)state;
    assert_fails(one_life(), run_a_broken_node, "node 1: assert failed: noted[0] == 'x' at ");
}

/* ---- files ---- */

static void fill_the_disk(void *ctx)
{
    (void)ctx;
    struct err_note why = {.text = ""};
    uint8_t bytes[600] = {1};
    struct iovec parts[2] = {{bytes, 500}, {bytes, 100}};
    size_t size;
    assert_int_equal(env_dir_create(env, "d", &why), OK);
    assert_int_equal(env_file_open(env, "d/file", ENV_OPEN_WRITE, &file, &why), ERR_NO_FILE);
    assert_int_equal(env_file_open(env, "d/file", ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, &why),
                     OK);
    assert_int_equal(env_file_write(file, 0, parts, 2), OK);
    env->host->is_full = true;
    assert_int_equal(env_file_write(file, 1, parts, 2), ERR_NO_SPACE);
    assert_int_equal(env_file_write(file, 0, parts, 2), OK); /* its blocks are there */
    assert_int_equal(env_file_allocate(file, 601), ERR_NO_SPACE);
    assert_int_equal(env_file_sync(file), OK);
    assert_int_equal(env_file_read(file, 550, bytes, 600, &size), OK);
    assert_int_equal(size, 50);
    env->host->is_full = false;
    assert_int_equal(env_file_allocate(file, 4096), OK);
    env->host->is_full = true;
    assert_int_equal(env_file_write(file, 4096 - 600, parts, 2), OK); /* they were reserved */
    assert_int_equal(env_file_write(file, 4096 - 599, parts, 2), ERR_NO_SPACE);
    env->host->is_full = false;
    assert_int_equal(env_file_truncate(file, 10000), OK);
    env->host->is_full = true; /* a longer file has a hole */
    assert_int_equal(env_file_write(file, 4096, parts, 2), ERR_NO_SPACE);
    env_file_close(file);
}

static void a_full_disk_refuses_what_needs_blocks(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(fill_the_disk, NULL);
    assert_int_equal(sim->counts[SIM_DISK_FULL], 4);
}

static void sync_three_times(void *ctx)
{
    (void)ctx;
    struct err_note why = {.text = ""};
    struct iovec part = {(void *)(uintptr_t) "x", 1};
    assert_int_equal(env_file_open(env, "file", ENV_OPEN_WRITE | ENV_OPEN_CREATE, &file, &why), OK);
    assert_int_equal(env_file_write(file, 0, &part, 1), OK);
    env->host->syncs_until_error = 2;
    assert_int_equal(env_dir_sync(env, "."), OK);
    assert_false(env->host->has_sync_failed);
    assert_int_equal(env_file_sync(file), ERR_IO);
    assert_true(env->host->has_sync_failed);
    assert_false(inode_is_clean(disk_find(env->host->disk, "file")));
    assert_int_equal(env_file_sync(file), OK);
    assert_false(inode_is_clean(disk_find(env->host->disk, "file"))); /* that was a lie */
}

static void the_sync_that_is_drawn_fails_and_makes_nothing_durable(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    in_life(sync_three_times, NULL);
    assert_int_equal(sim->counts[SIM_SYNC_ERROR], 1);
    assert_true(faults_excuse_fatal(sim->faults, sim->hosts[1]));
    assert_false(faults_excuse_fatal(sim->faults, sim->hosts[1]));
}

static bool is_excused(struct sim *sim, const char *last_words)
{
    struct host *host = sim->hosts[1];
    (void)snprintf(host->last_words, sizeof(host->last_words), "%s", last_words);
    return faults_excuse_fatal(sim->faults, host);
}

static void a_full_disk_excuses_no_end_but_for_want_of_an_identity(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    sim->hosts[1]->is_full = true;
    assert_false(is_excused(sim, "d/identity: cannot be written: No space left on device"));
    sim->hosts[1]->is_full = false;
    in_life(fill_the_disk, NULL);
    sim->hosts[1]->is_full = false; /* there is room again, too late */
    assert_true(is_excused(sim, "d/identity: cannot be written: No space left on device"));
    assert_false(is_excused(sim, "wal: extend it: No space left on device"));
}

static void rot_excuses_an_end_that_speaks_of_damage(void **state)
{
    (void)state;
    struct sim *sim = one_life();
    assert_false(is_excused(sim, "log cannot be read back: Data on disk is damaged"));
    sim->hosts[1]->is_rotten = true;
    assert_true(is_excused(sim, "log cannot be read back: Data on disk is damaged"));
    assert_true(is_excused(sim, "read data.mdb: its data cannot be trusted: replace this node"));
    assert_false(is_excused(sim, "sync data.mdb: Input/output error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_in_within_one_turn_has_one_hook),
        cmocka_unit_test(a_timer_repeats_until_it_is_stopped),
        cmocka_unit_test(a_fast_clock_fires_early_and_tells_more),
        cmocka_unit_test(a_stopped_process_runs_nothing_and_then_all_of_it_in_order),
        cmocka_unit_test(a_wake_is_one_turn_more),
        cmocka_unit_test(jobs_run_one_after_the_other_and_take_their_time),
        cmocka_unit_test(a_stalled_disk_ends_its_syncs_late),
        cmocka_unit_test(closing_a_worker_runs_what_was_submitted),
        cmocka_unit_test(blocking_on_the_disk_holds_up_the_loop),
        cmocka_unit_test(a_crash_comes_before_each_effect),
        cmocka_unit_test(a_fatal_end_is_the_lifes_alone),
        cmocka_unit_test(a_nodes_assert_is_a_finding),
        cmocka_unit_test(a_full_disk_refuses_what_needs_blocks),
        cmocka_unit_test(the_sync_that_is_drawn_fails_and_makes_nothing_durable),
        cmocka_unit_test(a_full_disk_excuses_no_end_but_for_want_of_an_identity),
        cmocka_unit_test(rot_excuses_an_end_that_speaks_of_damage),
    };
    testing_exit(cmocka_run_group_tests(tests, NULL, NULL));
}
