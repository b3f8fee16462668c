/*
 * A disk in memory that keeps a log of what is done to it:
 *
 *   disk IMAGE LOG MOUNTPOINT
 *
 * A FUSE file system of two files. `disk` begins as IMAGE; a loop device on it takes a real file
 * system, and each of its writes and flushes is a record of LOG (disk_log.h). What is written to
 * `mark`, a decimal number, is a record as well: it tells what was known outside at that point.
 *
 * K1  The log's order is the order in which writes were carried out. One thread does all.
 * K2  Whoever has written a mark knows that it is in the log, in memory that outlives this process.
 */
#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_log.h"

static const char disk_path[] = "/disk";
static const char mark_path[] = "/mark";

static struct {
    char *bytes;
    size_t size;
    int log_fd;
} disk;

/* A log with a gap would show states that never were: there is no way on. */
static void append(const void *bytes, size_t size)
{
    if (write(disk.log_fd, bytes, size) != (ssize_t)size) {
        perror("disk: log");
        _exit(EXIT_FAILURE);
    }
}

static void log_record(enum disk_record_type type, uint64_t place, const char *bytes, size_t size)
{
    struct disk_record record = {.type = type, .size = (uint32_t)size, .place = place};
    append(&record, sizeof(record));
    if (size > 0) {
        append(bytes, size);
    }
}

static int disk_getattr(const char *path, struct stat *out_status, struct fuse_file_info *info)
{
    (void)info;
    *out_status = (struct stat){.st_mode = S_IFREG | 0600, .st_nlink = 1};
    if (strcmp(path, "/") == 0) {
        *out_status = (struct stat){.st_mode = S_IFDIR | 0700, .st_nlink = 2};
    } else if (strcmp(path, disk_path) == 0) {
        out_status->st_size = (off_t)disk.size;
    } else if (strcmp(path, mark_path) != 0) {
        return -ENOENT;
    }
    return 0;
}

static int disk_open(const char *path, struct fuse_file_info *info)
{
    (void)path;
    info->direct_io = 1; /* no cache of the kernel's: what is written is written here */
    return 0;
}

/* The part of [offset, offset + size) that the disk has. */
static size_t clip(off_t offset, size_t size)
{
    size_t begin = (size_t)offset;
    if (offset < 0 || begin >= disk.size) {
        return 0;
    }
    return size < disk.size - begin ? size : disk.size - begin;
}

static int disk_read(const char *path, char *target, size_t size, off_t offset,
                     struct fuse_file_info *info)
{
    (void)info;
    if (strcmp(path, disk_path) != 0) {
        return 0;
    }
    size_t count = clip(offset, size);
    memcpy(target, disk.bytes + offset, count);
    return (int)count;
}

static int disk_write(const char *path, const char *source, size_t size, off_t offset,
                      struct fuse_file_info *info)
{
    (void)info;
    if (strcmp(path, mark_path) == 0) {
        char text[24] = "";
        memcpy(text, source, size < sizeof(text) ? size : sizeof(text) - 1);
        log_record(DISK_MARK, strtoull(text, NULL, 10), NULL, 0);
        return (int)size;
    }
    if (clip(offset, size) != size) {
        return -ENOSPC;
    }
    memcpy(disk.bytes + offset, source, size);
    log_record(DISK_WRITE, (uint64_t)offset, source, size);
    return (int)size;
}

static int disk_fsync(const char *path, int is_data_only, struct fuse_file_info *info)
{
    (void)is_data_only;
    (void)info;
    if (strcmp(path, disk_path) == 0) {
        log_record(DISK_FLUSH, 0, NULL, 0);
    }
    return 0;
}

static int disk_truncate(const char *path, off_t size, struct fuse_file_info *info)
{
    (void)path;
    (void)size;
    (void)info;
    return 0; /* a mark is opened with O_TRUNC */
}

static const struct fuse_operations operations = {
    .getattr = disk_getattr,
    .open = disk_open,
    .read = disk_read,
    .write = disk_write,
    .fsync = disk_fsync,
    .truncate = disk_truncate,
};

static int load(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        return -1;
    }
    disk.size = (size_t)status.st_size;
    disk.bytes = malloc(disk.size);
    size_t done = 0;
    while (disk.bytes != NULL && done < disk.size) {
        ssize_t count = pread(fd, disk.bytes + done, disk.size - done, (off_t)done);
        if (count <= 0) {
            break;
        }
        done += (size_t)count;
    }
    (void)close(fd);
    return done == disk.size ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fputs("usage: disk IMAGE LOG MOUNTPOINT\n", stderr);
        return 2;
    }
    disk.log_fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (disk.log_fd < 0 || load(argv[1]) != 0) {
        perror("disk");
        return EXIT_FAILURE;
    }
    char single[] = "-s"; /* K1 */
    char foreground[] = "-f";
    char *own[] = {argv[0], single, foreground, argv[3], NULL};
    return fuse_main(4, own, &operations, NULL);
}
