#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"

/* Address space that a mapped file may grow into; only what is touched takes memory. */
#define MAPPED_SIZE_MAX (UINT64_C(1) << 30)

/* One change that is not durable yet, with what it replaced. */
struct change {
    bool is_resize;
    bool is_doomed;    /* a write: by a failed sync; it never arrives */
    bool is_durable;   /* of its own right (O_DSYNC): keeps its sectors, or size, come what may */
    uint64_t offset;   /* of a write */
    uint64_t old_size; /* of the file before it */
    size_t size;       /* of `old` */
    uint8_t *old;      /* the bytes there before; of a resize, those that were cut off */
};

struct inode {
    uint32_t ref_count;
    int fd; /* a memory file's that stands behind `bytes`; -1: they are on the heap */
    uint8_t *bytes;
    uint64_t size;
    uint64_t extent;
    uint64_t capacity;
    struct change *changes; /* oldest first */
    size_t change_count;
    size_t change_capacity;
};

/* A name that is or was: a file's, or a directory's (no inode). */
struct name {
    char *path;
    struct inode *inode;
};

/* A change of names that is not durable yet. */
struct rename {
    char *directory; /* whose sync makes it durable */
    char *added;     /* NULL: nothing was */
    char *removed;
    struct inode *removed_inode; /* what `removed` was; */
    struct inode *replaced;      /* what had been at `added` */
};

struct disk {
    struct name *names; /* by path */
    size_t name_count;
    size_t name_capacity;
    struct rename *renames; /* oldest first */
    size_t rename_count;
    size_t rename_capacity;
};

/* ---- inodes ---- */

static struct inode *inode_new(bool is_mapped)
{
    struct inode *inode = mem_calloc(1, sizeof(*inode));
    inode->ref_count = 1;
    inode->fd = -1;
    if (is_mapped) {
        inode->fd = memfd_create("disk", MFD_CLOEXEC);
        ASSERT(inode->fd >= 0);
        inode->bytes = mmap(NULL, MAPPED_SIZE_MAX, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_NORESERVE, inode->fd, 0);
        ASSERT(inode->bytes != MAP_FAILED);
        inode->capacity = MAPPED_SIZE_MAX;
    }
    return inode;
}

static void change_deinit(struct change *change)
{
    mem_free(change->old);
    change->old = NULL;
}

/* The oldest `count`. */
static void changes_drop(struct inode *inode, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        change_deinit(&inode->changes[i]);
    }
    inode->change_count -= count;
    if (count > 0 && inode->change_count > 0) {
        memmove(inode->changes, inode->changes + count,
                inode->change_count * sizeof(*inode->changes));
    }
}

struct inode *inode_ref(struct inode *inode)
{
    inode->ref_count++;
    return inode;
}

void inode_unref(struct inode *inode)
{
    if (inode == NULL || --inode->ref_count > 0) {
        return;
    }
    changes_drop(inode, inode->change_count);
    mem_free(inode->changes);
    if (inode->fd >= 0) {
        (void)munmap(inode->bytes, MAPPED_SIZE_MAX);
        (void)close(inode->fd);
    } else {
        mem_free(inode->bytes);
    }
    mem_free(inode);
}

uint64_t inode_size(const struct inode *inode)
{
    return inode->size;
}

uint64_t inode_extent(const struct inode *inode)
{
    return inode->extent;
}

size_t inode_read(const struct inode *inode, uint64_t offset, void *target, size_t size)
{
    if (offset >= inode->size) {
        return 0;
    }
    uint64_t left = inode->size - offset;
    size_t count = left < size ? (size_t)left : size;
    memcpy(target, inode->bytes + offset, count);
    return count;
}

/* Sets the size without a trace; new bytes are zero. */
static void set_size(struct inode *inode, uint64_t size)
{
    if (inode->fd >= 0) {
        ASSERT(size <= MAPPED_SIZE_MAX);
        int status = ftruncate(inode->fd, (off_t)size);
        ASSERT(status == 0);
    } else if (size > inode->capacity) {
        uint64_t capacity = size < 2 * inode->capacity ? 2 * inode->capacity : size;
        inode->bytes = mem_realloc(inode->bytes, capacity, 1);
        inode->capacity = capacity;
    }
    if (inode->fd < 0 && size > inode->size) {
        memset(inode->bytes + inode->size, 0, size - inode->size);
    }
    inode->size = size;
}

static struct change *change_add(struct inode *inode)
{
    if (inode->change_count == inode->change_capacity) {
        inode->change_capacity = inode->change_capacity == 0 ? 4 : 2 * inode->change_capacity;
        inode->changes =
            mem_realloc(inode->changes, inode->change_capacity, sizeof(*inode->changes));
    }
    struct change *change = &inode->changes[inode->change_count++];
    *change = (struct change){.old_size = inode->size};
    return change;
}

static void keep_old(struct change *change, const struct inode *inode, uint64_t offset, size_t size)
{
    if (size > 0) {
        change->old = mem_alloc(size);
        memcpy(change->old, inode->bytes + offset, size);
    }
    change->size = size;
}

static void resize(struct inode *inode, uint64_t size)
{
    struct change *change = change_add(inode);
    change->is_resize = true;
    if (size < inode->size) {
        keep_old(change, inode, size, (size_t)(inode->size - size));
    }
    set_size(inode, size);
}

/* Without its size, what O_DSYNC has written could not be read. */
static void keep_size(struct inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        inode->changes[i].is_durable = inode->changes[i].is_durable || inode->changes[i].is_resize;
    }
}

void inode_write(struct inode *inode, uint64_t offset, struct slice bytes, bool is_durable)
{
    if (bytes.size == 0) {
        return;
    }
    uint64_t end = offset + bytes.size;
    if (end > inode->size) {
        resize(inode, end);
    }
    if (!is_durable || inode->change_count > 0) {
        struct change *change = change_add(inode);
        change->offset = offset;
        change->is_durable = is_durable;
        keep_old(change, inode, offset, bytes.size);
    }
    if (is_durable) {
        keep_size(inode);
    }
    memcpy(inode->bytes + offset, bytes.data, bytes.size);
    inode->extent = end > inode->extent ? end : inode->extent;
}

void inode_resize(struct inode *inode, uint64_t size)
{
    if (size != inode->size) {
        resize(inode, size);
    }
}

void inode_reserve(struct inode *inode, uint64_t size)
{
    if (size > inode->size) {
        inode_resize(inode, size);
    }
    inode->extent = size > inode->extent ? size : inode->extent;
}

void inode_sync(struct inode *inode)
{
    size_t count = 0;
    while (count < inode->change_count && !inode->changes[count].is_doomed) {
        count++;
    }
    changes_drop(inode, count);
    /* What lies over something doomed says how much of that a crash can take away. */
    for (size_t i = 0; i < inode->change_count; i++) {
        inode->changes[i].is_durable = !inode->changes[i].is_doomed;
    }
}

void inode_sync_failed(struct inode *inode)
{
    for (size_t i = 0; i < inode->change_count; i++) {
        struct change *change = &inode->changes[i];
        change->is_doomed = !change->is_durable && !change->is_resize;
    }
}

bool inode_is_clean(const struct inode *inode)
{
    return inode->change_count == 0;
}

void inode_rot(struct inode *inode, uint64_t offset, uint8_t mask)
{
    ASSERT(offset < inode->size);
    inode->bytes[offset] ^= mask;
}

int inode_fd(const struct inode *inode)
{
    ASSERT(inode->fd >= 0);
    int fd = dup(inode->fd);
    ASSERT(fd >= 0);
    return fd;
}

/* ---- a crash, file by file ---- */

/* Which sectors have been settled, by a newer version that was kept. */
struct settled {
    uint8_t *bits;
    size_t sector_count;
    bool has_arrived; /* a sector that was not durable */
    uint64_t size; /* what stood behind it was cut off, for good, by a newer change that was kept */
};

static bool is_settled(const struct settled *settled, uint64_t sector)
{
    return (settled->bits[sector / 8] & (1u << (sector % 8))) != 0;
}

static void settle(struct settled *settled, uint64_t sector)
{
    settled->bits[sector / 8] = (uint8_t)(settled->bits[sector / 8] | (1u << (sector % 8)));
}

struct fate {
    enum disk_crash kind;
    struct prng *prng;
    size_t cut;       /* PREFIX: changes from here on are lost */
    uint64_t cut_at;  /* PREFIX: of the change at the cut, sectors below this arrived */
    uint32_t arrived; /* MIXED: so many in a million did */
};

static bool has_arrived(const struct fate *fate, size_t number, const struct change *change,
                        uint64_t sector)
{
    if (change->is_durable || change->is_doomed) {
        return change->is_durable;
    }
    switch (fate->kind) {
    case DISK_CRASH_LOST:
        return false;
    case DISK_CRASH_PREFIX:
        return number < fate->cut || (number == fate->cut && sector < fate->cut_at);
    case DISK_CRASH_MIXED:
        return prng_below(fate->prng, 1000000) < fate->arrived;
    case DISK_CRASH_PROCESS:
    case DISK_CRASH_KEPT:
    case DISK_CRASH_COUNT:
        break;
    }
    return true;
}

/* Takes one write back where it is lost; newest first, so that what stays is one version. */
static uint64_t undo_write(struct inode *inode, const struct change *change, size_t number,
                           const struct fate *fate, struct settled *settled)
{
    uint64_t lost = 0;
    uint64_t end = change->offset + change->size;
    end = end < settled->size ? end : settled->size;
    for (uint64_t at = change->offset; at < end;) {
        uint64_t sector = at / DISK_SECTOR;
        uint64_t next = (sector + 1) * DISK_SECTOR < end ? (sector + 1) * DISK_SECTOR : end;
        if (!is_settled(settled, sector)) {
            if (has_arrived(fate, number, change, sector)) {
                settle(settled, sector);
                settled->has_arrived = settled->has_arrived || !change->is_durable;
            } else {
                memcpy(inode->bytes + at, change->old + (at - change->offset), next - at);
                lost++;
            }
        }
        at = next;
    }
    return lost;
}

static void undo_resize(struct inode *inode, const struct change *change)
{
    uint64_t size = inode->size;
    if (change->old_size == size) {
        return;
    }
    set_size(inode, change->old_size);
    if (change->size > 0) {
        memcpy(inode->bytes + (change->old_size - change->size), change->old, change->size);
    }
}

static void inode_crash(struct inode *inode, enum disk_crash kind, struct prng *prng,
                        struct disk_loss *loss)
{
    if (inode->change_count == 0) {
        return;
    }
    uint64_t size_max = inode->size;
    for (size_t i = 0; i < inode->change_count; i++) {
        size_max = inode->changes[i].old_size > size_max ? inode->changes[i].old_size : size_max;
    }
    struct settled settled = {.sector_count = (size_t)(size_max / DISK_SECTOR) + 1};
    settled.bits = mem_calloc(settled.sector_count / 8 + 1, 1);
    struct fate fate = {.kind = kind, .prng = prng};
    fate.cut = (size_t)prng_below(prng, inode->change_count);
    const struct change *at_cut = &inode->changes[fate.cut];
    fate.cut_at = at_cut->offset / DISK_SECTOR + prng_below(prng, at_cut->size / DISK_SECTOR + 2);
    fate.arrived = (uint32_t)prng_below(prng, 1000001);
    uint64_t lost = 0;
    bool is_size_settled = false;
    uint64_t size = inode->size; /* after the change that is looked at */
    settled.size = UINT64_MAX;
    for (size_t i = inode->change_count; i > 0; i--) {
        const struct change *change = &inode->changes[i - 1];
        if (!change->is_resize) {
            lost += undo_write(inode, change, i - 1, &fate, &settled);
            continue;
        }
        if (!is_size_settled && !has_arrived(&fate, i - 1, change, 0)) {
            undo_resize(inode, change);
        } else {
            is_size_settled = true; /* what came before it has arrived, too */
            settled.size = size < settled.size ? size : settled.size;
        }
        size = change->old_size;
    }
    mem_free(settled.bits);
    changes_drop(inode, inode->change_count);
    loss->sectors += lost;
    loss->is_torn = loss->is_torn || (lost > 0 && settled.has_arrived);
}

/* ---- names ---- */

struct disk *disk_new(void)
{
    return mem_calloc(1, sizeof(struct disk));
}

static void rename_deinit(struct rename *change)
{
    mem_free(change->directory);
    mem_free(change->added);
    mem_free(change->removed);
    inode_unref(change->removed_inode);
    inode_unref(change->replaced);
}

void disk_wipe(struct disk *disk)
{
    for (size_t i = 0; i < disk->rename_count; i++) {
        rename_deinit(&disk->renames[i]);
    }
    disk->rename_count = 0;
    for (size_t i = 0; i < disk->name_count; i++) {
        mem_free(disk->names[i].path);
        inode_unref(disk->names[i].inode);
    }
    disk->name_count = 0;
}

void disk_free(struct disk *disk)
{
    if (disk != NULL) {
        disk_wipe(disk);
        mem_free(disk->names);
        mem_free(disk->renames);
        mem_free(disk);
    }
}

/* The first name that is not below `path`. */
static size_t lower_bound(const struct disk *disk, const char *path)
{
    size_t low = 0;
    size_t high = disk->name_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(disk->names[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct name *find_name(const struct disk *disk, const char *path)
{
    size_t place = lower_bound(disk, path);
    bool is_there = place < disk->name_count && strcmp(disk->names[place].path, path) == 0;
    return is_there ? &disk->names[place] : NULL;
}

/* Takes `inode`'s reference (NULL: a directory). */
static void insert_name(struct disk *disk, const char *path, struct inode *inode)
{
    if (disk->name_count == disk->name_capacity) {
        disk->name_capacity = disk->name_capacity == 0 ? 16 : 2 * disk->name_capacity;
        disk->names = mem_realloc(disk->names, disk->name_capacity, sizeof(*disk->names));
    }
    size_t place = lower_bound(disk, path);
    memmove(&disk->names[place + 1], &disk->names[place],
            (disk->name_count - place) * sizeof(*disk->names));
    disk->names[place] = (struct name){mem_strdup(path), inode};
    disk->name_count++;
}

/* Gives the inode's reference to the caller. */
static struct inode *erase_name(struct disk *disk, const char *path)
{
    struct name *name = find_name(disk, path);
    if (name == NULL) {
        return NULL;
    }
    struct inode *inode = name->inode;
    mem_free(name->path);
    size_t place = (size_t)(name - disk->names);
    disk->name_count--;
    memmove(name, name + 1, (disk->name_count - place) * sizeof(*disk->names));
    return inode;
}

/* The directory that `path` stands in; caller frees. */
static char *parent_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return mem_strdup(".");
    }
    char *parent = mem_strdup(path);
    parent[slash - path] = '\0';
    return parent;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the change takes it */
static struct rename *rename_add(struct disk *disk, char *directory)
{
    if (disk->rename_count == disk->rename_capacity) {
        disk->rename_capacity = disk->rename_capacity == 0 ? 16 : 2 * disk->rename_capacity;
        disk->renames = mem_realloc(disk->renames, disk->rename_capacity, sizeof(*disk->renames));
    }
    struct rename *change = &disk->renames[disk->rename_count++];
    *change = (struct rename){.directory = directory};
    return change;
}

struct inode *disk_find(const struct disk *disk, const char *path)
{
    const struct name *name = find_name(disk, path);
    return name != NULL ? name->inode : NULL;
}

bool disk_is_directory(const struct disk *disk, const char *path)
{
    const struct name *name = find_name(disk, path);
    return strcmp(path, ".") == 0 || (name != NULL && name->inode == NULL);
}

struct inode *disk_create(struct disk *disk, const char *path, bool is_mapped)
{
    ASSERT(find_name(disk, path) == NULL);
    struct inode *inode = inode_new(is_mapped);
    insert_name(disk, path, inode);
    rename_add(disk, parent_of(path))->added = mem_strdup(path);
    return inode;
}

err disk_make_directory(struct disk *disk, const char *path)
{
    if (disk_is_directory(disk, path)) {
        return OK;
    }
    char *parent = parent_of(path);
    if (!disk_is_directory(disk, parent)) {
        mem_free(parent);
        return ERR_NO_FILE;
    }
    insert_name(disk, path, NULL);
    rename_add(disk, parent)->added = mem_strdup(path);
    return OK;
}

err disk_rename(struct disk *disk, const char *source, const char *target)
{
    if (disk_find(disk, source) == NULL) {
        return ERR_NO_FILE;
    }
    struct inode *inode = erase_name(disk, source);
    struct rename *change = rename_add(disk, parent_of(target));
    change->added = mem_strdup(target);
    change->removed = mem_strdup(source);
    change->removed_inode = inode_ref(inode);
    change->replaced = erase_name(disk, target);
    insert_name(disk, target, inode);
    return OK;
}

err disk_unlink(struct disk *disk, const char *path)
{
    if (disk_find(disk, path) == NULL) {
        return ERR_NO_FILE;
    }
    struct rename *change = rename_add(disk, parent_of(path));
    change->removed = mem_strdup(path);
    change->removed_inode = erase_name(disk, path);
    return OK;
}

err disk_sync_directory(struct disk *disk, const char *path)
{
    char *directory = mem_strdup(path);
    size_t size = strlen(directory);
    if (size > 3 && strcmp(directory + size - 3, "/..") == 0) {
        directory[size - 3] = '\0';
        char *parent = parent_of(directory);
        mem_free(directory);
        directory = parent;
    }
    bool is_there = disk_is_directory(disk, directory);
    size_t kept = 0;
    for (size_t i = 0; is_there && i < disk->rename_count; i++) {
        if (strcmp(disk->renames[i].directory, directory) == 0) {
            rename_deinit(&disk->renames[i]);
        } else {
            disk->renames[kept++] = disk->renames[i];
        }
    }
    disk->rename_count = is_there ? kept : disk->rename_count;
    mem_free(directory);
    return is_there ? OK : ERR_NO_FILE;
}

err disk_list(const struct disk *disk, const char *path, void (*each)(void *ctx, const char *name),
              void *ctx)
{
    if (!disk_is_directory(disk, path)) {
        return ERR_NO_FILE;
    }
    size_t size = strlen(path);
    for (size_t i = 0; i < disk->name_count; i++) {
        const char *name = disk->names[i].path;
        if (strncmp(name, path, size) == 0 && name[size] == '/' &&
            strchr(name + size + 1, '/') == NULL) {
            each(ctx, name + size + 1);
        }
    }
    return OK;
}

void disk_each(const struct disk *disk,
               void (*each)(void *ctx, const char *path, struct inode *inode), void *ctx)
{
    for (size_t i = 0; i < disk->name_count; i++) {
        if (disk->names[i].inode != NULL) {
            each(ctx, disk->names[i].path, disk->names[i].inode);
        }
    }
}

/* ---- the end ---- */

static void undo_added(struct disk *disk, const char *path)
{
    bool is_directory = disk_is_directory(disk, path);
    inode_unref(erase_name(disk, path));
    size_t size = strlen(path);
    for (size_t i = disk->name_count; is_directory && i > 0; i--) {
        const char *name = disk->names[i - 1].path;
        if (strncmp(name, path, size) == 0 && name[size] == '/') {
            inode_unref(erase_name(disk, name));
        }
    }
}

/* Moves the reference out of `*inode`. */
static void put_back(struct disk *disk, const char *path, struct inode **inode)
{
    if (*inode != NULL && find_name(disk, path) == NULL) {
        insert_name(disk, path, *inode);
        *inode = NULL;
    }
}

static void undo_rename(struct disk *disk, struct rename *change)
{
    if (change->added != NULL) {
        undo_added(disk, change->added);
        put_back(disk, change->added, &change->replaced);
    }
    if (change->removed != NULL) {
        put_back(disk, change->removed, &change->removed_inode);
    }
}

struct disk_loss disk_crash(struct disk *disk, enum disk_crash kind, struct prng *prng)
{
    struct disk_loss loss = {0};
    if (kind == DISK_CRASH_PROCESS) {
        return loss;
    }
    size_t kept = disk->rename_count;
    if (kind == DISK_CRASH_LOST) {
        kept = 0;
    } else if (kind != DISK_CRASH_KEPT) {
        kept = (size_t)prng_below(prng, disk->rename_count + 1);
    }
    for (size_t i = disk->rename_count; i > kept; i--) {
        undo_rename(disk, &disk->renames[i - 1]);
    }
    for (size_t i = 0; i < disk->rename_count; i++) {
        rename_deinit(&disk->renames[i]);
    }
    disk->rename_count = 0;
    for (size_t i = 0; i < disk->name_count; i++) {
        if (disk->names[i].inode != NULL) {
            inode_crash(disk->names[i].inode, kind, prng, &loss);
        }
    }
    return loss;
}
