/* How tests damage the log of a node that is stopped. */
#ifndef DAMAGE_TESTING_H
#define DAMAGE_TESTING_H

#include <dirent.h>
#include <fcntl.h>

#include "node_testing.h"

/* The name of the oldest or newest segment. */
static inline void find_segment(const struct cluster *cluster, uint32_t i, bool is_newest,
                                char path[200])
{
    char directory[160];
    snprintf(directory, sizeof(directory), "%s/wal", cluster->directories[i]);
    DIR *list = opendir(directory);
    assert_non_null(list);
    char found[32] = "";
    for (struct dirent *entry = readdir(list); entry != NULL; entry = readdir(list)) {
        size_t size = strlen(entry->d_name);
        if (size == 20 && strcmp(entry->d_name + 16, ".seg") == 0 &&
            (found[0] == '\0' || (strcmp(entry->d_name, found) > 0) == is_newest)) {
            snprintf(found, sizeof(found), "%.20s", entry->d_name);
        }
    }
    assert_int_equal(closedir(list), 0);
    snprintf(path, 200, "%s/%s", directory, found);
}

/* A byte of a record's payload, or of whatever is there. */
static inline void spoil_log(const struct cluster *cluster, uint32_t i, bool is_newest,
                             off_t offset)
{
    char path[200];
    uint8_t byte;
    find_segment(cluster, i, is_newest, path);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
}

#endif
