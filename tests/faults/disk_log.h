/*
 * The log of a disk: everything that was written to it, in order. Records follow one another; those
 * of writes are followed by their bytes. Read and written on one machine, so in its byte order.
 */
#ifndef FAULTS_DISK_LOG_H
#define FAULTS_DISK_LOG_H

#include <stdint.h>

enum disk_record_type {
    DISK_WRITE = 1, /* `size` bytes at `place` */
    DISK_FLUSH = 2, /* all before it is durable */
    DISK_MARK = 3,  /* `place` is a number that somebody wanted to have here */
};

struct disk_record {
    uint32_t type;
    uint32_t size;
    uint64_t place;
};

#endif
