/*
 * The worker's main job: one batch onto the disk. Everything it touches is its own from submit to
 * done; what it cannot do ends the process (W2).
 *
 * Into the current segment: one write, one fdatasync, the mark.
 * Into a new one: header and batch in one write to a spare, fdatasync, rename to its segment's
 * name, sync of the directory, the mark and its sync. So a segment that has its name has its header
 * and its first batch (S2). All of it goes into blocks that were written before, so a full disk is
 * no reason for it to fail.
 */
#ifndef WAL_WAL_WRITER_H
#define WAL_WAL_WRITER_H

#include "env/env.h"
#include "wal/wal_batch.h"
#include "wal/wal_mark.h"

struct wal_write {
    struct env_job job;
    struct env *env;         /* set once, as these two */
    const char *directory;   /* borrowed for life */
    struct wal_marks *marks; /* the job's alone while it runs */
    /* Set for each batch. */
    struct wal_batch *batch;
    struct wal_seal seal; /* where the batch begins; flags are not looked at */
    uint64_t sequence;
    struct env_file *file; /* the segment's, or a spare's */
    bool is_new_segment;   /* then also: */
    uint64_t segment_size;
    uint8_t header[WAL_SECTOR_SIZE];
    char source_path[WAL_PATH_SIZE]; /* the spare's name */
    char path[WAL_PATH_SIZE];        /* the segment's */
    /* Set by the job. */
    uint32_t last_crc;
    uint64_t end; /* in the segment, behind the padding */
    uint64_t sync_ns;
};

/* Does the write; env_job.run. */
void wal_write_run(struct env_job *job);

/* Ends the process unless `e` is OK: "fatal: wal: WHAT PATH: …" with errno's text, or that of `e`
 * where errno is of something else. Either thread. */
void wal_must(err e, const char *what, const char *path);

#endif
