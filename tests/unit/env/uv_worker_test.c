#include <pthread.h>

#include "env_testing.h"

#define JOB_COUNT 1000u

struct task {
    struct env_job job;
    size_t number;
    pthread_t ran_on;
    char thread_name[16];
    struct buf *input; /* lent to the thread */
    uint64_t result;
    bool is_done;
};

static struct env *env;
static struct env_worker *worker;
static struct task tasks[JOB_COUNT];
static size_t order[2 * JOB_COUNT];
static size_t order_count;

static void run_task(struct env_job *job)
{
    struct task *task = CONTAINER_OF(job, struct task, job);
    task->ran_on = pthread_self();
    (void)pthread_getname_np(pthread_self(), task->thread_name, sizeof(task->thread_name));
    for (size_t i = 0; task->input != NULL && i < task->input->size; i++) {
        task->result += task->input->data[i];
    }
}

static void note_done(struct env_job *job)
{
    struct task *task = CONTAINER_OF(job, struct task, job);
    order[order_count] = task->number;
    order_count++;
    task->is_done = true;
}

static struct task *prepare(size_t number, void (*done)(struct env_job *job))
{
    tasks[number] = (struct task){.job = {.run = run_task, .done = done}, .number = number};
    return &tasks[number];
}

static int set_up(void **state)
{
    (void)state;
    order_count = 0;
    env = env_uv_open();
    return env_worker_open(env, "wal writer", &worker) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    env_worker_close(worker);
    env_uv_close(env);
    return 0;
}

static void a_job_runs_on_the_thread_and_is_done_on_the_loop(void **state)
{
    (void)state;
    struct task *task = prepare(0, note_done);
    task->input = buf_copy(SLICE_LITERAL("\x01\x02\x03"));
    env_worker_submit(worker, &task->job);
    run_until(env, &task->is_done);
    assert_int_equal(task->result, 6);
    assert_string_equal(task->thread_name, "wal writer");
    assert_false(pthread_equal(task->ran_on, pthread_self()));
    buf_unref(task->input);
}

static void jobs_are_done_in_the_order_of_their_submission(void **state)
{
    (void)state;
    /* Long enough that the thread finishes jobs while the loop delivers others. */
    struct buf *input = buf_new(5000);
    memset(input->data, 1, input->size);
    for (size_t i = 0; i < JOB_COUNT; i++) {
        struct task *task = prepare(i, note_done);
        task->input = buf_ref(input);
        env_worker_submit(worker, &task->job);
        env_uv_run_once(env, false);
    }
    run_until(env, &tasks[JOB_COUNT - 1].is_done);
    for (size_t i = 0; i < JOB_COUNT; i++) {
        assert_int_equal(order[i], i);
        assert_int_equal(tasks[i].result, input->size);
        buf_unref(tasks[i].input);
    }
    assert_int_equal(input->ref_count, 1);
    buf_unref(input);
}

struct batch_hook {
    struct env_turn turn;
    size_t done_before;
    bool was_after_done;
};

static void see_what_is_done(struct env_turn *turn)
{
    struct batch_hook *hook = CONTAINER_OF(turn, struct batch_hook, turn);
    hook->was_after_done = order_count > 0;
}

static void done_comes_before_the_hooks_of_its_turn(void **state)
{
    (void)state;
    struct batch_hook hook = {.turn = {.run = see_what_is_done}};
    struct task *task = prepare(0, note_done);
    env_turn_add(env, &hook.turn);
    env_worker_submit(worker, &task->job);
    run_until(env, &task->is_done);
    assert_true(hook.was_after_done); /* in that very turn */
    env_turn_remove(env, &hook.turn);
}

static void a_close_waits_for_all_jobs_and_calls_their_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < 100; i++) {
        env_worker_submit(worker, &prepare(i, note_done)->job);
    }
    env_worker_close(worker);
    worker = NULL;
    assert_int_equal(order_count, 100);
    env_worker_close(NULL);
}

static void submit_again(struct env_job *job)
{
    struct task *task = CONTAINER_OF(job, struct task, job);
    note_done(job);
    if (order_count < 10) {
        env_worker_submit(worker, &task->job);
    }
}

static void a_done_may_submit_also_while_the_worker_closes(void **state)
{
    (void)state;
    env_worker_submit(worker, &prepare(0, submit_again)->job);
    env_worker_close(worker);
    worker = NULL;
    assert_int_equal(order_count, 10);
}

static void close_worker(struct env_job *job)
{
    note_done(job);
    env_worker_close(worker);
    worker = NULL;
}

static void a_done_may_close_its_worker(void **state)
{
    (void)state;
    for (size_t i = 0; i < 100; i++) {
        env_worker_submit(worker, &prepare(i, i == 50 ? close_worker : note_done)->job);
    }
    run_until(env, &tasks[99].is_done);
    assert_null(worker);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(order[i], i);
    }
}

static void two_workers_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct env_worker *other;
    assert_int_equal(env_worker_open(env, "checkpointer", &other), OK);
    for (size_t i = 0; i < 200; i++) {
        env_worker_submit(i % 2 == 0 ? worker : other, &prepare(i, note_done)->job);
    }
    env_worker_close(other);
    run_until(env, &tasks[198].is_done);
    assert_int_equal(order_count, 200);
    assert_string_equal(tasks[199].thread_name, "checkpointer");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_job_runs_on_the_thread_and_is_done_on_the_loop),
        TEST(jobs_are_done_in_the_order_of_their_submission),
        TEST(done_comes_before_the_hooks_of_its_turn),
        TEST(a_close_waits_for_all_jobs_and_calls_their_done),
        TEST(a_done_may_submit_also_while_the_worker_closes),
        TEST(a_done_may_close_its_worker),
        TEST(two_workers_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
