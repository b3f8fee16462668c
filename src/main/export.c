#include "main/export.h"

err main_export_open(struct export *export, struct env *env, const char *path,
                     struct err_note *note)
{
    *export = (struct export){.has_head = false};
    return main_out_file_open(&export->out, env, path, note);
}

static void put_head(struct export *export, const struct store_region *state)
{
    if (!export->has_head) {
        api_export_put_head(&export->sums, state, &export->lines);
        export->has_head = true;
    }
}

void main_export_add(struct export *export, const struct store_region *state, struct slice key,
                     const struct store_record *record)
{
    put_head(export, state);
    api_export_put_record(&export->sums, key, record, &export->lines);
}

err main_export_flush(struct export *export, size_t size_min)
{
    err e = OK;
    if (export->lines.size >= size_min) {
        e = main_out_file_put(export->out, writer_slice(&export->lines));
        writer_reset(&export->lines);
    }
    return e;
}

err main_export_end(struct export *export, const struct store_region *state)
{
    put_head(export, state);
    api_export_put_end(&export->sums, &export->lines);
    err e = main_export_flush(export, 0);
    return e == OK ? main_out_file_finish(export->out) : e;
}

void main_export_close(struct export *export)
{
    main_out_file_close(export->out);
    writer_deinit(&export->lines);
}
