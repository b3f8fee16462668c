/*
 * A worker: one thread, a queue of jobs to it and a list of finished ones back from it.
 *
 * K1  `lock` guards waiting, finished and is_closing; everything else belongs to the loop thread.
 * K2  A job is in at most one of the lists. From the end of waiting to the begin of finished it
 *     belongs to the thread, otherwise to the loop.
 */
#include <pthread.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "env/errno.h"
#include "env/uv_int.h"

#define NAME_SIZE 16 /* the kernel's limit, NUL included */

struct env_worker {
    uv_thread_t thread;
    uv_async_t report; /* the thread tells the loop that something finished */
    char name[NAME_SIZE];
    uv_mutex_t lock;
    uv_cond_t wanted;     /* waiting has something, or is_closing */
    uv_cond_t progress;   /* finished has something */
    struct list waiting;  /* of env_job.link */
    struct list finished; /* of env_job.link */
    bool is_closing;
    struct list delivering;   /* of env_job.link: their done is being called */
    size_t undelivered_count; /* submitted, and done not yet called */
};

/* The next job; NULL: the worker closes and nothing waits. */
static struct env_job *next_job(struct env_worker *worker)
{
    struct env_job *job = NULL;
    uv_mutex_lock(&worker->lock);
    while (list_is_empty(&worker->waiting) && !worker->is_closing) {
        uv_cond_wait(&worker->wanted, &worker->lock);
    }
    if (!list_is_empty(&worker->waiting)) {
        job = CONTAINER_OF(worker->waiting.next, struct env_job, link);
        list_remove(&job->link);
    }
    uv_mutex_unlock(&worker->lock);
    return job;
}

static void finish(struct env_worker *worker, struct env_job *job)
{
    uv_mutex_lock(&worker->lock);
    list_push_back(&worker->finished, &job->link);
    uv_cond_signal(&worker->progress);
    uv_mutex_unlock(&worker->lock);
    int status = uv_async_send(&worker->report);
    ASSERT(status == 0);
}

static void run_thread(void *ctx)
{
    struct env_worker *worker = ctx;
    (void)pthread_setname_np(pthread_self(), worker->name);
    for (struct env_job *job = next_job(worker); job != NULL; job = next_job(worker)) {
        job->run(job);
        finish(worker, job);
    }
}

/* Calls done of everything that has finished. A done may submit more, or close the worker. */
static void deliver(struct env_worker *worker)
{
    uv_mutex_lock(&worker->lock);
    list_splice_back(&worker->delivering, &worker->finished);
    uv_mutex_unlock(&worker->lock);
    while (!list_is_empty(&worker->delivering)) {
        struct env_job *job = CONTAINER_OF(worker->delivering.next, struct env_job, link);
        list_remove(&job->link);
        ASSERT(worker->undelivered_count > 0);
        worker->undelivered_count--;
        job->done(job);
    }
}

static void on_report(uv_async_t *handle)
{
    deliver(CONTAINER_OF(handle, struct env_worker, report));
}

static void on_report_closed(uv_handle_t *handle)
{
    struct env_worker *worker = CONTAINER_OF(handle, struct env_worker, report);
    uv_cond_destroy(&worker->progress);
    uv_cond_destroy(&worker->wanted);
    uv_mutex_destroy(&worker->lock);
    mem_free(worker);
}

static struct env_worker *worker_new(const char *name)
{
    struct env_worker *worker = mem_calloc(1, sizeof(*worker));
    int size = snprintf(worker->name, sizeof(worker->name), "%s", name);
    ASSERT(size > 0);
    ASSERT(size < NAME_SIZE);
    list_init(&worker->waiting);
    list_init(&worker->finished);
    list_init(&worker->delivering);
    if (uv_mutex_init(&worker->lock) != 0 || uv_cond_init(&worker->wanted) != 0 ||
        uv_cond_init(&worker->progress) != 0) {
        fatal(0, "no lock for thread %s", name);
    }
    return worker;
}

err env_worker_open(struct env *env, const char *name, struct env_worker **out_worker)
{
    struct env_worker *worker = worker_new(name);
    int status = uv_async_init(&env->loop, &worker->report, on_report);
    if (status != 0) {
        on_report_closed((uv_handle_t *)&worker->report); /* nothing to close: frees at once */
        return env_err_of_uv(status);
    }
    status = uv_thread_create(&worker->thread, run_thread, worker);
    if (status != 0) {
        uv_close((uv_handle_t *)&worker->report, on_report_closed);
        return env_err_of_uv(status);
    }
    *out_worker = worker;
    return OK;
}

void env_worker_submit(struct env_worker *worker, struct env_job *job)
{
    ASSERT(job->run != NULL);
    ASSERT(job->done != NULL);
    worker->undelivered_count++;
    uv_mutex_lock(&worker->lock);
    ASSERT(!worker->is_closing);
    list_push_back(&worker->waiting, &job->link);
    uv_cond_signal(&worker->wanted);
    uv_mutex_unlock(&worker->lock);
}

static void wait_for_finished(struct env_worker *worker)
{
    uv_mutex_lock(&worker->lock);
    while (list_is_empty(&worker->finished)) {
        uv_cond_wait(&worker->progress, &worker->lock);
    }
    uv_mutex_unlock(&worker->lock);
}

void env_worker_close(struct env_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    /* Called from a done, the rest of `delivering` comes first: nothing may overtake it (E3). */
    deliver(worker);
    while (worker->undelivered_count > 0) {
        wait_for_finished(worker);
        deliver(worker);
    }
    uv_mutex_lock(&worker->lock);
    ASSERT(!worker->is_closing);
    worker->is_closing = true;
    uv_cond_signal(&worker->wanted);
    uv_mutex_unlock(&worker->lock);
    int status = uv_thread_join(&worker->thread);
    ASSERT(status == 0);
    uv_close((uv_handle_t *)&worker->report, on_report_closed);
}
