#include "main/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

/* ---- before it runs ---- */

static bool is_same_variable(const char *a, const char *b)
{
    size_t size = strcspn(a, "=");
    return strncmp(a, b, size) == 0 && b[size] == '=';
}

static bool is_overridden(const char *variable, const char *const *variables)
{
    for (; *variables != NULL; variables++) {
        if (is_same_variable(*variables, variable)) {
            return true;
        }
    }
    return false;
}

/* This process's environment with `variables`; caller frees the array. */
static char **make_environment(const char *const *variables)
{
    size_t count = 0;
    size_t used = 0;
    while (environ[count] != NULL) {
        count++;
    }
    for (const char *const *variable = variables; *variable != NULL; variable++) {
        count++;
    }
    char **target = mem_calloc(count + 1, sizeof(*target));
    for (char **variable = environ; *variable != NULL; variable++) {
        if (!is_overridden(*variable, variables)) {
            target[used++] = *variable;
        }
    }
    for (; *variables != NULL; variables++) {
        target[used++] = (char *)(uintptr_t)*variables; /* execve takes it so, and keeps it */
    }
    return target;
}

/* A file without a name that has `input`; -1, with errno. */
static int make_input(struct slice input)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    size_t written = 0;
    while (fd >= 0 && written < input.size) {
        ssize_t size = write(fd, input.data + written, input.size - written);
        if (size < 0) {
            (void)close(fd);
            return -1;
        }
        written += (size_t)size;
    }
    if (fd >= 0) {
        (void)lseek(fd, 0, SEEK_SET);
    }
    return fd;
}

/* ---- in the new process: nothing that takes a lock ---- */

static void become(const struct child_order *order, char *const *environment, int input,
                   pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) { /* it was gone before that */
        return;
    }
    if (input >= 0) {
        (void)dup2(input, STDIN_FILENO);
    }
    struct sigaction standard = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGPIPE, &standard, NULL);
    if (order->mask != NULL) {
        (void)pthread_sigmask(SIG_SETMASK, order->mask, NULL);
    }
    (void)execvpe(order->program[0], order->program, environment);
}

/* ---- here ---- */

static err fail(struct child *child, const struct child_order *order, int number,
                struct err_note *note)
{
    bool is_missing = number == ENOENT;
    child->is_over = true;
    child->status = is_missing ? CHILD_NOT_FOUND : CHILD_NOT_EXECUTABLE;
    return err_note_set(note, is_missing ? ERR_NO_FILE : ERR_PERMISSION, "run %s: %s",
                        order->program[0], strerrordesc_np(number));
}

/* Why it does not run; 0: it does. The other end closes when it does. */
static int read_failure(int fd)
{
    int number = 0;
    ssize_t size;
    do {
        size = read(fd, &number, sizeof(number));
    } while (size < 0 && errno == EINTR);
    return size == (ssize_t)sizeof(number) ? number : 0;
}

static pid_t start(const struct child_order *order, bool has_group, char *const *environment,
                   int input, const int *ends)
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        if (has_group) {
            (void)setpgid(0, 0);
        }
        become(order, environment, input, parent);
        int number = errno;
        ssize_t ignored = write(ends[1], &number, sizeof(number));
        _exit(ignored > 0 ? CHILD_NOT_FOUND : CHILD_NOT_EXECUTABLE);
    }
    return pid;
}

err main_child_start(struct child *child, const struct child_order *order, struct err_note *note)
{
    static const char *const none[] = {NULL};
    *child = (struct child){.fd = -1};
    int ends[2];
    int input = order->has_input ? make_input(order->input) : -1;
    if ((order->has_input && input < 0) || pipe2(ends, O_CLOEXEC) != 0) {
        return fail(child, order, errno, note);
    }
    char **environment = make_environment(order->variables == NULL ? none : order->variables);
    child->has_group = isatty(STDIN_FILENO) == 0;
    child->pid = start(order, child->has_group, environment, input, ends);
    int number = child->pid < 0 ? errno : 0;
    mem_free(environment);
    (void)close(ends[1]);
    if (input >= 0) {
        (void)close(input);
    }
    if (number == 0) {
        number = read_failure(ends[0]);
        if (number != 0) {
            (void)waitpid(child->pid, NULL, 0);
        }
    }
    (void)close(ends[0]);
    if (number != 0) {
        return fail(child, order, number, note);
    }
    child->fd = pidfd_open(child->pid, 0);
    ASSERT(child->fd >= 0);
    return OK;
}

void main_child_signal(const struct child *child, int number)
{
    if (!child->is_over) { /* not waited for yet, so the number is still its own */
        (void)kill(child->has_group ? -child->pid : child->pid, number);
    }
}

static bool reap(struct child *child, int flags)
{
    int status = 0;
    pid_t pid;
    do {
        pid = waitpid(child->pid, &status, flags);
    } while (pid < 0 && errno == EINTR);
    if (pid != child->pid) {
        return false;
    }
    child->is_over = true;
    child->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

bool main_child_is_over(struct child *child)
{
    return child->is_over || reap(child, WNOHANG);
}

void main_child_wait(struct child *child)
{
    if (!child->is_over) {
        bool is_over = reap(child, 0);
        ASSERT(is_over);
    }
}

void main_child_close(struct child *child)
{
    if (child->fd >= 0) {
        (void)close(child->fd);
        child->fd = -1;
    }
}
