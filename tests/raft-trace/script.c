#include "script.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

bool script_open(struct script *out_script, const char *path)
{
    *out_script = (struct script){0};
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    struct text content = {0};
    char chunk[4096];
    size_t size = 0;
    while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0) {
        text_add(&content, "%.*s", (int)size, chunk);
    }
    bool ok = ferror(file) == 0;
    (void)fclose(file);
    out_script->content = content.data;
    out_script->next = content.data;
    return ok;
}

void script_close(struct script *script)
{
    mem_free(script->content);
    *script = (struct script){0};
}

/* The next line without its end, or NULL. */
static char *next_line(struct script *script)
{
    char *line = script->next;
    if (line == NULL || *line == '\0') {
        return NULL;
    }
    char *end = strchr(line, '\n');
    if (end != NULL) {
        *end = '\0';
        script->next = end + 1;
    } else {
        script->next = NULL;
    }
    script->line++;
    return line;
}

static bool next_is(const struct script *script, const char *line)
{
    size_t size = strlen(line);
    return script->next != NULL && strncmp(script->next, line, size) == 0 &&
           (script->next[size] == '\n' || script->next[size] == '\0');
}

/* The reference's own log: not part of what is compared. */
static bool is_log_line(const char *line)
{
    static const char *const levels[] = {"DEBUG", "INFO", "WARN", "ERROR"};
    line += strspn(line, " ");
    for (size_t i = 0; i < ARRAY_COUNT(levels); i++) {
        if (strncmp(line, levels[i], strlen(levels[i])) == 0) {
            return true;
        }
    }
    return false;
}

static void read_expected(struct script *script, struct script_block *block)
{
    bool fenced = next_is(script, "----");
    if (fenced) {
        (void)next_line(script);
    }
    block->output_line = script->line + 1;
    char *line = NULL;
    while ((line = next_line(script)) != NULL) {
        if (fenced ? strcmp(line, "----") == 0 && next_is(script, "----") : *line == '\0') {
            break;
        }
        if (!is_log_line(line)) {
            text_add(&block->expected, "%s\n", line);
        }
    }
    if (fenced) {
        (void)next_line(script);
    }
    text_trim(&block->expected);
    if (block->expected.size == 0) {
        text_add(&block->expected, "ok");
    }
}

/* The end of a word; blanks in parentheses do not end it. */
static char *word_end(char *word)
{
    unsigned depth = 0;
    for (; *word != '\0' && (depth > 0 || !isspace((unsigned char)*word)); word++) {
        depth += *word == '(' ? 1 : 0;
        depth -= *word == ')' && depth > 0 ? 1 : 0;
    }
    return word;
}

static void parse_values(struct script_arg *arg, char *list)
{
    size_t size = strlen(list);
    if (size >= 2 && list[0] == '(' && list[size - 1] == ')') {
        list[size - 1] = '\0';
        list++;
    }
    char *rest = NULL;
    for (char *value = strtok_r(list, ", ", &rest); value != NULL;
         value = strtok_r(NULL, ", ", &rest)) {
        ASSERT(arg->value_count < SCRIPT_VALUES_MAX);
        arg->values[arg->value_count] = value;
        arg->value_count++;
    }
}

static void parse_command(struct script_block *block, const char *line)
{
    block->storage = mem_strdup(line);
    char *word = block->storage;
    for (;;) {
        word += strspn(word, " \t\r");
        if (*word == '\0') {
            return;
        }
        char *end = word_end(word);
        char *rest = *end == '\0' ? end : end + 1;
        *end = '\0';
        if (block->name == NULL) {
            block->name = word;
        } else {
            ASSERT(block->arg_count < SCRIPT_ARGS_MAX);
            struct script_arg *arg = &block->args[block->arg_count];
            block->arg_count++;
            arg->key = word;
            char *equals = strchr(word, '=');
            if (equals != NULL) {
                *equals = '\0';
                parse_values(arg, equals + 1);
            }
        }
        word = rest;
    }
}

bool script_next(struct script *script, struct script_block *out_block)
{
    *out_block = (struct script_block){0};
    char *line = NULL;
    do {
        line = next_line(script);
        if (line == NULL) {
            return false;
        }
    } while (line[strspn(line, " \t\r")] == '\0' || *line == '#');
    out_block->line = script->line;
    parse_command(out_block, line);
    while ((line = next_line(script)) != NULL && strcmp(line, "----") != 0) {
        text_add(&out_block->input, "%s\n", line);
    }
    read_expected(script, out_block);
    return true;
}

void script_block_deinit(struct script_block *block)
{
    text_deinit(&block->input);
    text_deinit(&block->expected);
    mem_free(block->storage);
    *block = (struct script_block){0};
}

const struct script_arg *script_find(const struct script_block *block, const char *key)
{
    for (unsigned i = 0; i < block->arg_count; i++) {
        if (strcmp(block->args[i].key, key) == 0) {
            return &block->args[i];
        }
    }
    return NULL;
}

const char *script_value(const struct script_block *block, const char *key, const char *otherwise)
{
    const struct script_arg *arg = script_find(block, key);
    return arg == NULL || arg->value_count == 0 ? otherwise : arg->values[0];
}

uint64_t script_parse_number(const char *word)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(word, &end, 10);
    bool ok = errno == 0 && end != word && *end == '\0' && isdigit((unsigned char)*word);
    return ok ? number : 0;
}

uint64_t script_number(const struct script_block *block, const char *key, uint64_t otherwise)
{
    const char *value = script_value(block, key, NULL);
    return value == NULL ? otherwise : script_parse_number(value);
}

bool script_flag(const struct script_block *block, const char *key)
{
    const char *value = script_value(block, key, "false");
    return strcmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

unsigned script_ids(const struct script_block *block, uint64_t *out_ids, unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < block->arg_count && count < max; i++) {
        uint64_t id = script_parse_number(block->args[i].key);
        if (block->args[i].value_count == 0 && id > 0) {
            out_ids[count] = id;
            count++;
        }
    }
    return count;
}
