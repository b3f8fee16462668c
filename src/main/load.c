#include "main/load.h"

#include "base/assert.h"
#include "base/mem.h"

/* Reads the file `name` and takes its lines. */
static err take_file(struct options *options, struct env *env, const char *name,
                     struct err_note *note)
{
    struct env_file *file = NULL;
    uint8_t *text = NULL;
    size_t size = 0;
    err e = env_file_open(env, name, ENV_OPEN_READ, &file, note);
    if (e != OK) {
        return err_note_wrap(note, e, "the file of settings");
    }
    text = mem_alloc(LOAD_FILE_SIZE_MAX + 1);
    e = env_file_read(file, 0, text, LOAD_FILE_SIZE_MAX + 1, &size);
    env_file_close(file);
    if (e != OK) {
        e = err_note_set(note, e, "the file of settings %s cannot be read", name);
    } else if (size > LOAD_FILE_SIZE_MAX) {
        e = err_note_set(note, ERR_BAD_REQUEST, "%s is no file of settings: it is above 1 MiB",
                         name);
    } else {
        e = main_options_take_file(options, name, (struct slice){text, size}, note);
    }
    mem_free(text);
    return e;
}

err main_load(struct options *options, struct env *env, int count, char *const *arguments,
              char *const *environment, struct err_note *note)
{
    ASSERT(count >= 0);
    err e = main_options_take_flags(options, count, arguments, note);
    if (e == OK) {
        e = main_options_take_environment(options, environment, note);
    }
    const char *name = main_options_file(options);
    if (e == OK && name != NULL) {
        e = take_file(options, env, name, note);
    }
    if (e == OK) {
        e = main_options_finish(options, note);
    }
    return e;
}
