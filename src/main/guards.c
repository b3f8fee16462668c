#include "main/guards.h"

void main_guards_draft(const struct guards *guards, struct draft *draft)
{
    if (guards->prev != NULL) {
        main_draft_param(draft, "prev", guards->prev);
    }
    if (guards->if_match != NULL) {
        main_draft_field_etag(draft, "If-Match", guards->if_match);
    }
    if (guards->if_none_match != NULL) {
        main_draft_field_etag(draft, "If-None-Match", guards->if_none_match);
    }
    if (guards->fence != NULL) {
        main_draft_field(draft, "KV-Fence", guards->fence);
    }
}
