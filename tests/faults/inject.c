/*
 * A library for LD_PRELOAD: stands between the node and the calls that it makes on its data
 * directory, and on nothing else. The environment says what it does there:
 *
 *   INJECT_DIR=path      the data directory; without it nothing is done at all
 *   INJECT_MODE=record   a line in INJECT_LOG for each call: "<site> <function> <file> <callers>"
 *              =fail     call number INJECT_NTH (from 1) of INJECT_SITE goes wrong, once, and
 *                        INJECT_LOG gets its line; INJECT_KIND is an errno in decimal, "short"
 *                        (half of the bytes), "delay" (well, but 300 ms later) or, of a sync,
 *                        "silent" (it fails and says nothing)
 *              =no-sync  syncing does nothing and says that it did: a power cut loses what is new
 *              =late     the last writes to the log are held back, and said to be done: they go
 *                        with the process
 *
 * The last two, and "silent", are what a node that acknowledges too early looks like from outside:
 * the harnesses prove on them that they bite.
 *
 * A site is a function, the kind of file it is called for, and the chain of its callers; so one
 * helper that is called from two places is two sites. It is the same number in every run of one
 * program: addresses count relative to where their module was loaded.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FDS_MAX 1024
#define KIND_SIZE 64  /* of a file's kind, as text */
#define FRAMES_MAX 10 /* callers that make a site */
#define LINE_SIZE 1024
#define HEX_NAME 16 /* digits in the name of a segment or a staged snapshot */
#define DELAY_US 300000
#define HELD_MAX 24

enum mode {
    MODE_OFF,
    MODE_RECORD,
    MODE_FAIL,
    MODE_NO_SYNC,
    MODE_LATE,
};

enum fault {
    FAULT_NONE,
    FAULT_ERRNO,
    FAULT_SHORT,
    FAULT_SILENT,
};

struct held {
    int fd;
    off_t offset;
    size_t size;
    char *bytes;
};

static struct {
    enum mode mode;
    char dir[PATH_MAX];
    size_t dir_size;
    int log_fd;
    void *own_base; /* where this library was loaded */
    uint64_t site;
    unsigned long nth;
    const char *kind;
    pthread_mutex_t lock;
    unsigned long seen;
    char kinds[FDS_MAX][KIND_SIZE]; /* of an open file of the data directory; "" of any other */
    struct held held[HELD_MAX];
    size_t held_count;
} inject = {.lock = PTHREAD_MUTEX_INITIALIZER, .log_fd = -1};

/* The C library's own `name`; a pointer to it is as large as one to data here. */
/* NOLINTBEGIN(bugprone-macro-parentheses): it declares `real` */
#define REAL_AS(real, name)                                                                        \
    static __typeof__(name) *real;                                                                 \
    if (real == NULL) {                                                                            \
        void *found = dlsym(RTLD_NEXT, #name);                                                     \
        memcpy(&real, &found, sizeof(real));                                                       \
    }
/* NOLINTEND(bugprone-macro-parentheses) */
#define REAL(name) REAL_AS(real, name)

/* ---- what we stand for ---- */

/*
 * Our functions under the C library's names, which its headers have given parameters of other names
 * and attributes that are not ours. What was built for small files calls the shorter ones.
 */
#define REPLACES(name) __asm__(name)
#define ALSO(name)                                                                                 \
    __asm__(".globl " name "\n.type " name ", @function\n.set " name ", " name "64\n")

int our_open(const char *path, int flags, ...) REPLACES("open64");
int our_rename(const char *source, const char *target) REPLACES("rename");
int our_unlink(const char *path) REPLACES("unlink");
int our_mkdir(const char *path, mode_t mode) REPLACES("mkdir");
int our_stat(const char *path, struct stat64 *out_status) REPLACES("stat64");
int our_scandir(const char *path, struct dirent64 ***out_entries,
                int (*is_listed)(const struct dirent64 *),
                int (*compare)(const struct dirent64 **, const struct dirent64 **))
    REPLACES("scandir64");
int our_close(int fd) REPLACES("close");
int our_fstat(int fd, struct stat64 *out_status) REPLACES("fstat64");
int our_fstatfs(int fd, struct statfs64 *out_status) REPLACES("fstatfs64");
int our_flock(int fd, int operation) REPLACES("flock");
int our_fcntl(int fd, int command, ...) REPLACES("fcntl64");
off64_t our_lseek(int fd, off64_t offset, int whence) REPLACES("lseek64");
int our_fdatasync(int fd) REPLACES("fdatasync");
int our_fsync(int fd) REPLACES("fsync");
int our_ftruncate(int fd, off64_t size) REPLACES("ftruncate64");
int our_posix_fallocate(int fd, off64_t offset, off64_t size) REPLACES("posix_fallocate64");
void *our_mmap(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
    REPLACES("mmap64");
ssize_t our_pread(int fd, void *target, size_t size, off64_t offset) REPLACES("pread64");
ssize_t our_read(int fd, void *target, size_t size) REPLACES("read");
ssize_t our_write(int fd, const void *source, size_t size) REPLACES("write");
ssize_t our_pwrite(int fd, const void *source, size_t size, off64_t offset) REPLACES("pwrite64");
ssize_t our_pwritev(int fd, const struct iovec *parts, int part_count, off64_t offset)
    REPLACES("pwritev64");
ssize_t our_writev(int fd, const struct iovec *parts, int part_count) REPLACES("writev");

ALSO("open");
ALSO("stat");
ALSO("scandir");
ALSO("fstat");
ALSO("fstatfs");
ALSO("fcntl");
ALSO("lseek");
ALSO("ftruncate");
ALSO("posix_fallocate");
ALSO("mmap");
ALSO("pread");
ALSO("pwrite");
ALSO("pwritev");

/* ---- what a call is about ---- */

static bool is_hex(char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f');
}

/* Long numbers in a name become a "*". "" for what is not of the data directory. */
static void kind_of_path(const char *path, char kind[KIND_SIZE])
{
    kind[0] = '\0';
    if (path == NULL || strncmp(path, inject.dir, inject.dir_size) != 0) {
        return;
    }
    path += inject.dir_size;
    if (*path != '\0' && *path != '/') {
        return;
    }
    size_t size = 0;
    kind[size++] = '.';
    while (*path != '\0' && size + 2 < KIND_SIZE) {
        size_t digits = 0;
        while (is_hex(path[digits])) {
            digits++;
        }
        if (digits >= HEX_NAME) {
            kind[size++] = '*';
            path += digits;
        } else {
            kind[size++] = *path++;
        }
    }
    kind[size] = '\0';
}

static const char *kind_of_fd(int fd)
{
    return fd >= 0 && fd < FDS_MAX ? inject.kinds[fd] : "";
}

static void fd_opened(int fd, const char *path)
{
    if (inject.mode != MODE_OFF && fd >= 0 && fd < FDS_MAX) {
        kind_of_path(path, inject.kinds[fd]);
    }
}

/* Fills the line of a call and returns its site. */
static uint64_t site_of(const char *function, const char *kind, char line[LINE_SIZE])
{
    void *frames[FRAMES_MAX];
    int count = backtrace(frames, FRAMES_MAX);
    uint64_t site = UINT64_C(0xcbf29ce484222325);
    const char *texts[] = {function, kind};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        for (const char *byte = texts[i]; *byte != '\0'; byte++) {
            site = (site ^ (uint8_t)*byte) * UINT64_C(0x100000001b3);
        }
    }
    char callers[LINE_SIZE / 2] = "";
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        Dl_info info;
        if (dladdr(frames[i], &info) == 0 || info.dli_fbase == inject.own_base) {
            continue;
        }
        uint64_t address = (uint64_t)((uintptr_t)frames[i] - (uintptr_t)info.dli_fbase);
        site = (site ^ address) * UINT64_C(0x100000001b3);
        const char *file = strrchr(info.dli_fname, '/');
        int more = snprintf(callers + size, sizeof(callers) - size, " %s+0x%llx",
                            file != NULL ? file + 1 : info.dli_fname, (unsigned long long)address);
        size += more > 0 && (size_t)more < sizeof(callers) - size ? (size_t)more : 0;
    }
    callers[size] = '\0';
    (void)snprintf(line, LINE_SIZE, "%016llx %s %s%s\n", (unsigned long long)site, function, kind,
                   callers);
    return site;
}

static void log_line(const char *line)
{
    if (inject.log_fd >= 0) {
        REAL(write);
        (void)!real(inject.log_fd, line, strlen(line));
    }
}

/*
 * Decides over one call for a file of `kind`. FAULT_ERRNO: errno is set, the call must fail with it
 * and not be made. FAULT_SHORT: half of it. A delay is already over.
 */
static enum fault is_hit(const char *function, const char *kind)
{
    if (kind[0] == '\0' || (inject.mode != MODE_RECORD && inject.mode != MODE_FAIL)) {
        return FAULT_NONE;
    }
    int kept = errno;
    char line[LINE_SIZE];
    uint64_t site = site_of(function, kind, line);
    bool is_it = false;
    if (inject.mode == MODE_FAIL && site == inject.site) {
        pthread_mutex_lock(&inject.lock);
        is_it = ++inject.seen == inject.nth;
        pthread_mutex_unlock(&inject.lock);
    }
    if (is_it || inject.mode == MODE_RECORD) {
        log_line(line);
    }
    errno = kept;
    if (!is_it) {
        return FAULT_NONE;
    }
    if (strcmp(inject.kind, "short") == 0) {
        return FAULT_SHORT;
    }
    if (strcmp(inject.kind, "silent") == 0) {
        return FAULT_SILENT;
    }
    if (strcmp(inject.kind, "delay") == 0) {
        (void)usleep(DELAY_US);
        return FAULT_NONE;
    }
    errno = (int)strtol(inject.kind, NULL, 10);
    return FAULT_ERRNO;
}

/* ---- writes that are held back ---- */

static void held_release(size_t count)
{
    REAL(pwrite64);
    for (size_t i = 0; i < count; i++) {
        struct held *held = &inject.held[i];
        if (real(held->fd, held->bytes, held->size, held->offset) != (ssize_t)held->size) {
            abort();
        }
        free(held->bytes);
    }
    inject.held_count -= count;
    memmove(inject.held, inject.held + count, inject.held_count * sizeof(inject.held[0]));
}

/* Whoever looks at the files sees what was written. */
static void held_release_all(void)
{
    if (inject.mode == MODE_LATE) {
        pthread_mutex_lock(&inject.lock);
        held_release(inject.held_count);
        pthread_mutex_unlock(&inject.lock);
    }
}

static bool is_held(int fd)
{
    return inject.mode == MODE_LATE && strncmp(kind_of_fd(fd), "./wal/", 6) == 0;
}

static ssize_t hold(int fd, const struct iovec *parts, int part_count, off_t offset)
{
    size_t size = 0;
    for (int i = 0; i < part_count; i++) {
        size += parts[i].iov_len;
    }
    struct held held = {.fd = fd, .offset = offset, .size = size, .bytes = malloc(size + 1)};
    if (held.bytes == NULL) {
        abort();
    }
    size_t done = 0;
    for (int i = 0; i < part_count; i++) {
        memcpy(held.bytes + done, parts[i].iov_base, parts[i].iov_len);
        done += parts[i].iov_len;
    }
    pthread_mutex_lock(&inject.lock);
    if (inject.held_count == HELD_MAX) {
        held_release(1);
    }
    inject.held[inject.held_count++] = held;
    pthread_mutex_unlock(&inject.lock);
    return (ssize_t)size;
}

/* ---- start ---- */

/* Before main, alone: nothing else runs that could change the environment. */
static const char *setting(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): no second thread yet */
    return value != NULL ? value : "";
}

__attribute__((constructor)) static void start(void)
{
    static const char *const modes[] = {"", "record", "fail", "no-sync", "late"};
    void *frames[1];
    (void)backtrace(frames, 1); /* loads what it needs: later it may be called anywhere */
    Dl_info own;
    inject.own_base = dladdr((void *)&inject, &own) != 0 ? own.dli_fbase : NULL;
    (void)snprintf(inject.dir, sizeof(inject.dir), "%s", setting("INJECT_DIR"));
    inject.dir_size = strlen(inject.dir);
    inject.site = strtoull(setting("INJECT_SITE"), NULL, 16);
    inject.nth = strtoul(setting("INJECT_NTH"), NULL, 10);
    inject.kind = setting("INJECT_KIND");
    if (setting("INJECT_LOG")[0] != '\0') {
        inject.log_fd =
            open(setting("INJECT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    for (size_t i = 1; inject.dir_size > 0 && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(setting("INJECT_MODE"), modes[i]) == 0) {
            inject.mode = (enum mode)i;
        }
    }
}

/* ---- names ---- */

static int open_any(const char *function, const char *path, int flags, mode_t mode)
{
    REAL(open64);
    char kind[KIND_SIZE] = "";
    if (inject.mode != MODE_OFF) {
        kind_of_path(path, kind);
    }
    if (is_hit(function, kind) == FAULT_ERRNO) {
        return -1;
    }
    if (inject.mode == MODE_NO_SYNC && kind[0] != '\0') {
        flags &= ~(O_DSYNC | O_SYNC);
    }
    int fd = real(path, flags, mode);
    fd_opened(fd, path);
    return fd;
}

int our_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list args;
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    return open_any("open", path, flags, mode);
}

int our_rename(const char *source, const char *target)
{
    REAL(rename);
    char kind[KIND_SIZE] = "";
    kind_of_path(source, kind);
    held_release_all();
    return is_hit("rename", kind) == FAULT_ERRNO ? -1 : real(source, target);
}

static bool path_fails(const char *function, const char *path)
{
    char kind[KIND_SIZE] = "";
    if (inject.mode != MODE_OFF) {
        kind_of_path(path, kind);
    }
    return is_hit(function, kind) == FAULT_ERRNO;
}

int our_unlink(const char *path)
{
    REAL(unlink);
    return path_fails("unlink", path) ? -1 : real(path);
}

int our_mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    return path_fails("mkdir", path) ? -1 : real(path, mode);
}

int our_stat(const char *path, struct stat64 *out_status)
{
    REAL(stat64);
    return path_fails("stat", path) ? -1 : real(path, out_status);
}

int our_scandir(const char *path, struct dirent64 ***out_entries,
                int (*is_listed)(const struct dirent64 *),
                int (*compare)(const struct dirent64 **, const struct dirent64 **))
{
    REAL(scandir64);
    return path_fails("scandir", path) ? -1 : real(path, out_entries, is_listed, compare);
}

/* ---- descriptors ---- */

int our_close(int fd)
{
    REAL(close);
    char kind[KIND_SIZE]; /* it outlives the descriptor */
    (void)snprintf(kind, sizeof(kind), "%s", kind_of_fd(fd));
    if (kind[0] != '\0') {
        held_release_all();
        inject.kinds[fd][0] = '\0';
    }
    int status = real(fd); /* Linux lets go of it in any case */
    return is_hit("close", kind) == FAULT_ERRNO ? -1 : status;
}

static bool fd_fails(const char *function, int fd)
{
    return is_hit(function, kind_of_fd(fd)) == FAULT_ERRNO;
}

int our_fstat(int fd, struct stat64 *out_status)
{
    REAL(fstat64);
    return fd_fails("fstat", fd) ? -1 : real(fd, out_status);
}

int our_fstatfs(int fd, struct statfs64 *out_status)
{
    REAL(fstatfs64);
    return fd_fails("fstatfs", fd) ? -1 : real(fd, out_status);
}

int our_flock(int fd, int operation)
{
    REAL(flock);
    return fd_fails("flock", fd) ? -1 : real(fd, operation);
}

int our_fcntl(int fd, int command, ...)
{
    REAL(fcntl64);
    va_list args;
    va_start(args, command);
    void *argument = va_arg(args, void *); /* a number goes through unchanged as well */
    va_end(args);
    return fd_fails("fcntl", fd) ? -1 : real(fd, command, argument);
}

off64_t our_lseek(int fd, off64_t offset, int whence)
{
    REAL(lseek64);
    return fd_fails("lseek", fd) ? -1 : real(fd, offset, whence);
}

static int sync_any(const char *function, int (*real)(int), int fd)
{
    const char *kind = kind_of_fd(fd);
    bool is_ours = kind[0] != '\0';
    if (is_ours && (inject.mode == MODE_NO_SYNC || inject.mode == MODE_LATE)) {
        return 0;
    }
    switch (is_hit(function, kind)) {
    case FAULT_ERRNO:
        return -1;
    case FAULT_SILENT:
        return 0;
    case FAULT_SHORT:
    case FAULT_NONE:
    default:
        return real(fd);
    }
}

int our_fdatasync(int fd)
{
    REAL(fdatasync);
    return sync_any("fdatasync", real, fd);
}

int our_fsync(int fd)
{
    REAL(fsync);
    return sync_any("fsync", real, fd);
}

int our_ftruncate(int fd, off64_t size)
{
    REAL(ftruncate64);
    return fd_fails("ftruncate", fd) ? -1 : real(fd, size);
}

int our_posix_fallocate(int fd, off64_t offset, off64_t size)
{
    REAL(posix_fallocate64);
    return fd_fails("fallocate", fd) ? errno : real(fd, offset, size);
}

void *our_mmap(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
    REAL(mmap64);
    bool fails = (flags & MAP_ANONYMOUS) == 0 && fd_fails("mmap", fd);
    return fails ? MAP_FAILED : real(address, size, protection, flags, fd, offset);
}

/* ---- bytes ---- */

/* How many bytes of a call for `size` to ask for; SIZE_MAX: it fails. */
static size_t size_allowed(const char *function, int fd, size_t size)
{
    enum fault fault = is_hit(function, kind_of_fd(fd));
    if (fault == FAULT_ERRNO) {
        return SIZE_MAX;
    }
    return fault == FAULT_SHORT && size > 1 ? size / 2 : size;
}

ssize_t our_pread(int fd, void *target, size_t size, off64_t offset)
{
    REAL(pread64);
    if (is_held(fd)) {
        held_release_all();
    }
    size_t allowed = size_allowed("pread", fd, size);
    return allowed == SIZE_MAX ? -1 : real(fd, target, allowed, offset);
}

ssize_t our_read(int fd, void *target, size_t size)
{
    REAL(read);
    size_t allowed = size_allowed("read", fd, size);
    return allowed == SIZE_MAX ? -1 : real(fd, target, allowed);
}

ssize_t our_write(int fd, const void *source, size_t size)
{
    REAL(write);
    size_t allowed = size_allowed("write", fd, size);
    return allowed == SIZE_MAX ? -1 : real(fd, source, allowed);
}

ssize_t our_pwrite(int fd, const void *source, size_t size, off64_t offset)
{
    REAL(pwrite64);
    size_t allowed = size_allowed("pwrite", fd, size);
    return allowed == SIZE_MAX ? -1 : real(fd, source, allowed, offset);
}

/* Half of all bytes of a pwritev, or with `offset` -1 of a writev. */
static ssize_t write_short(int fd, const struct iovec *parts, int part_count, off64_t offset)
{
    REAL(write);
    REAL_AS(real_at, pwrite64);
    size_t left = 0;
    for (int i = 0; i < part_count; i++) {
        left += parts[i].iov_len;
    }
    left = (left + 1) / 2;
    ssize_t done = 0;
    for (int i = 0; i < part_count && left > 0; i++) {
        size_t size = parts[i].iov_len < left ? parts[i].iov_len : left;
        ssize_t count = offset < 0 ? real(fd, parts[i].iov_base, size)
                                   : real_at(fd, parts[i].iov_base, size, offset + done);
        if (count != (ssize_t)size) {
            return -1;
        }
        done += count;
        left -= size;
    }
    return done;
}

ssize_t our_pwritev(int fd, const struct iovec *parts, int part_count, off64_t offset)
{
    REAL(pwritev64);
    if (is_held(fd)) {
        return hold(fd, parts, part_count, offset);
    }
    switch (is_hit("pwritev", kind_of_fd(fd))) {
    case FAULT_ERRNO:
        return -1;
    case FAULT_SHORT:
        return write_short(fd, parts, part_count, offset);
    case FAULT_SILENT:
    case FAULT_NONE:
    default:
        return real(fd, parts, part_count, offset);
    }
}

ssize_t our_writev(int fd, const struct iovec *parts, int part_count)
{
    REAL(writev);
    switch (is_hit("writev", kind_of_fd(fd))) {
    case FAULT_ERRNO:
        return -1;
    case FAULT_SHORT:
        return write_short(fd, parts, part_count, -1);
    case FAULT_SILENT:
    case FAULT_NONE:
    default:
        return real(fd, parts, part_count);
    }
}
