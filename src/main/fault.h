/*
 * A page of the store's file that cannot be read, or leads nowhere, ends the process by a signal:
 * SIGBUS where the file has been cut, SIGSEGV where LMDB follows a damaged page (it has no
 * checksums). Then the store is marked (store/distrust.h), one line says so, and the process ends:
 * the next start rebuilds it from a peer, instead of dying of the same page. Every other fault
 * takes its usual course.
 */
#ifndef MAIN_FAULT_H
#define MAIN_FAULT_H

/* Once in the process: from now on faults are looked at, for the store in this data directory. */
void main_fault_watch(const char *data_directory);

#endif
