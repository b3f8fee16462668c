/*
 * Every bound of the program that is not a flag, in one place. A relation between two of them is
 * asserted here, with its why.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KEY_SIZE_MAX 480u          /* published; LMDB's own limit is 511, the rest is ours */
#define CONTENT_TYPE_SIZE_MAX 255u /* one length byte in the record */
#define VALUE_SIZE_DEFAULT_MAX (8u << 20)
#define VALUE_SIZE_CEILING (64u << 20) /* --max-value-bytes may not be set above this */
#define COMMAND_OVERHEAD_MAX 32768u    /* a write of one key is its value, and conditions in this */
#define ENTRY_SIZE_MAX (VALUE_SIZE_CEILING + COMMAND_OVERHEAD_MAX)
#define FRAME_SIZE_MAX (ENTRY_SIZE_MAX + (2u << 20)) /* one huge entry, or many small ones */
#define MEMBERS_MAX 32u
#define ADDRESS_SIZE_MAX 255u
#define REVISION_MAX (UINT64_C(1) << 53)      /* exact in a double, so in every JSON reader */
#define NODE_ID_MAX ((UINT64_C(1) << 53) - 1) /* of an id that is given: for the same reason */

_Static_assert(KEY_SIZE_MAX < 511, "keys and our suffixes must fit into LMDB's key");
_Static_assert(FRAME_SIZE_MAX > ENTRY_SIZE_MAX, "a frame must hold the largest entry");

#endif
