/* Bytes of the data file that change behind the store's back. */
#ifndef DAMAGE_TESTING_H
#define DAMAGE_TESTING_H

#include <fcntl.h>
#include <sys/stat.h>

#include "store_testing.h"

/* Changes every copy of `text` in the data file at its byte `at`; how many there were. The store
 * may be open: its map shows it at once. */
static inline unsigned spoil(const struct world *world, struct slice text, size_t at, uint8_t mask)
{
    int fd = open(world->place.data_path, O_RDWR);
    struct stat status;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    size_t size = (size_t)status.st_size < (4u << 20) ? (size_t)status.st_size : 4u << 20;
    uint8_t *bytes = test_malloc(size);
    assert_int_equal(pread(fd, bytes, size, 0), size);
    unsigned count = 0;
    const uint8_t *end = bytes + size;
    for (uint8_t *found = memmem(bytes, size, text.data, text.size); found != NULL;
         found = memmem(found + 1, (size_t)(end - found - 1), text.data, text.size)) {
        uint8_t wrong = found[at] ^ mask;
        assert_int_equal(pwrite(fd, &wrong, 1, (off_t)(found + at - bytes)), 1);
        count++;
    }
    test_free(bytes);
    assert_int_equal(close(fd), 0);
    return count;
}

#endif
