#include "worker.h"

#include "base/assert.h"
#include "base/mem.h"
#include "env/env.h"

struct env_worker {
    struct env_worker *next;
    struct list jobs; /* of env_job.link: submitted, not run */
};

static struct env_worker *workers; /* all that are open */

err env_worker_open(struct env *env, const char *name, struct env_worker **out_worker)
{
    (void)env;
    (void)name;
    struct env_worker *worker = mem_calloc(1, sizeof(*worker));
    list_init(&worker->jobs);
    worker->next = workers;
    workers = worker;
    *out_worker = worker;
    return OK;
}

void env_worker_submit(struct env_worker *worker, struct env_job *job)
{
    list_push_back(&worker->jobs, &job->link);
}

/* False: there was none. */
static bool run_next(struct env_worker *worker)
{
    if (list_is_empty(&worker->jobs)) {
        return false;
    }
    struct env_job *job = CONTAINER_OF(worker->jobs.next, struct env_job, link);
    list_remove(&job->link);
    job->run(job);
    job->done(job);
    return true;
}

void env_worker_close(struct env_worker *worker)
{
    if (worker == NULL) {
        return;
    }
    while (run_next(worker)) {
    }
    struct env_worker **place = &workers;
    while (*place != worker) {
        ASSERT(*place != NULL);
        place = &(*place)->next;
    }
    *place = worker->next;
    mem_free(worker);
}

void micro_work(void)
{
    bool has_worked = true;
    while (has_worked) {
        has_worked = false;
        for (struct env_worker *worker = workers; worker != NULL; worker = worker->next) {
            has_worked = run_next(worker) || has_worked;
        }
    }
}
