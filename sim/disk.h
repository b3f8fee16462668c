/*
 * One host's disk: files and directories in memory, what of them is durable, and what a crash
 * leaves. Knows no time and no faults but the crash: those are env_file.c's.
 *
 * D1  A reader sees every write at once (the page cache). Durable is what a sync of that file
 *     covers; directory entries become durable when their directory is synced.
 * D2  A power cut keeps, of what is not durable, what disk_crash draws: nothing, everything, a
 *     prefix in the order of writing, or any set of 512-byte sectors, each at one of the versions
 *     it had. A directory keeps a prefix of its changes, as a journalling file system does.
 *     A sync that fails dooms what was written and not durable (Linux takes the pages for clean
 *     then, ADR 3): it can be read, no later sync makes it durable, and every power cut loses it,
 *     unless its sector is written again. The file's size is not of the pages: it still is to come.
 * D3  The death of a process alone loses nothing (the kernel lives on).
 */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/prng.h"

#define DISK_SECTOR 512u

struct disk;
struct inode;

enum disk_crash {
    DISK_CRASH_PROCESS, /* D3 */
    DISK_CRASH_LOST,    /* whatever was not synced is gone */
    DISK_CRASH_KEPT,    /* all of it arrived */
    DISK_CRASH_PREFIX,  /* the older writes arrived, the one at the cut is torn */
    DISK_CRASH_MIXED,   /* any sectors did */
    DISK_CRASH_COUNT
};

/* An empty disk. Caller frees. */
struct disk *disk_new(void);
/* NULL: no-op. Inodes that are referenced live on. */
void disk_free(struct disk *disk);
/* Throws everything away: a new disk in the old one's place. */
void disk_wipe(struct disk *disk);

/* ---- names ---- */

/* The file at `path`, borrowed; NULL: there is none. */
struct inode *disk_find(const struct disk *disk, const char *path);
bool disk_is_directory(const struct disk *disk, const char *path);
/* Makes a file; there must be none. Borrowed. `is_mapped`: it can be handed to mmap (inode_fd). */
struct inode *disk_create(struct disk *disk, const char *path, bool is_mapped);
/* OK if it is there. ERR_NO_FILE: its parent is not. */
MUST_USE err disk_make_directory(struct disk *disk, const char *path);
/* ERR_NO_FILE. What was at `target` goes. */
MUST_USE err disk_rename(struct disk *disk, const char *source, const char *target);
MUST_USE err disk_unlink(struct disk *disk, const char *path);
/* Makes the entries of a directory durable; "X/.." is X's parent. ERR_NO_FILE. */
MUST_USE err disk_sync_directory(struct disk *disk, const char *path);
/* Names in a directory, in byte order. ERR_NO_FILE. */
MUST_USE err disk_list(const struct disk *disk, const char *path,
                       void (*each)(void *ctx, const char *name), void *ctx);
/* Every file with its path. */
void disk_each(const struct disk *disk,
               void (*each)(void *ctx, const char *path, struct inode *inode), void *ctx);

/* ---- files ---- */

/* Takes one more reference, and returns `inode`. */
struct inode *inode_ref(struct inode *inode);
/* Gives one back, and the file's memory with the last. NULL: no-op. */
void inode_unref(struct inode *inode);
uint64_t inode_size(const struct inode *inode);
/* Up to where it was ever written or reserved: what is behind takes no blocks yet. */
uint64_t inode_extent(const struct inode *inode);
/* Gives it blocks up to `size`, and that size if it is shorter. */
void inode_reserve(struct inode *inode, uint64_t size);
/* Up to `size` bytes from `offset` on; returns how many there were. */
size_t inode_read(const struct inode *inode, uint64_t offset, void *target, size_t size);
/* Durable only after inode_sync, or at once (`is_durable`: O_DSYNC). Grows the file. */
void inode_write(struct inode *inode, uint64_t offset, struct slice bytes, bool is_durable);
void inode_resize(struct inode *inode, uint64_t size);
void inode_sync(struct inode *inode);
void inode_sync_failed(struct inode *inode);
/* Whether there is nothing that a crash could take from it. */
bool inode_is_clean(const struct inode *inode);
/* Changes bytes behind everybody's back, durably: bit rot. */
void inode_rot(struct inode *inode, uint64_t offset, uint8_t mask);
/* A descriptor of its own on a mapped file, for mmap; the caller closes. */
int inode_fd(const struct inode *inode);

/* ---- the end ---- */

struct disk_loss {
    uint64_t sectors; /* that were not synced and are gone */
    bool is_torn;     /* of some file some are gone, and some not */
};

/* What remains after a crash (D2, D3); returns what does not. */
struct disk_loss disk_crash(struct disk *disk, enum disk_crash kind, struct prng *prng);

#endif
