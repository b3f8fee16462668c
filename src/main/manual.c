#include "main/manual.h"

#include <string.h>

#include "main/client.h"
#include "main/command.h"
#include "main/options_int.h"

/* ---- roff ---- */

/* The code point at `text`, and its size; what is no UTF-8 is taken byte by byte. */
static unsigned code_point(const char *text, size_t *out_size)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    unsigned char first = (unsigned char)text[0];
    size_t size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    unsigned code = first & masks[size];
    for (size_t i = 1; i < size; i++) {
        code = code << 6 | ((unsigned char)text[i] & 0x3fu);
    }
    *out_size = size;
    return code;
}

/* Text that roff prints as it stands. */
static void print_text(const char *text, size_t size, FILE *out)
{
    const char *end = text + size;
    if (size > 0 && (text[0] == '.' || text[0] == '\'')) {
        (void)fputs("\\&", out); /* it would be a request */
    }
    while (text < end) {
        size_t step = 0;
        unsigned code = code_point(text, &step);
        if (code == '\\') {
            (void)fputs("\\e", out);
        } else if (code == '-') {
            (void)fputs("\\-", out);
        } else if (code == '\'') {
            (void)fputs("\\(aq", out);
        } else if (code == '^' || code == '~' || code == '`') {
            (void)fputs(code == '^' ? "\\(ha" : code == '~' ? "\\(ti" : "\\(ga", out);
        } else if (code < 0x80) {
            (void)fputc((int)code, out);
        } else {
            (void)fprintf(out, "\\[u%04X]", code);
        }
        text += step;
    }
}

static void print_line(const char *text, FILE *out)
{
    print_text(text, strlen(text), out);
    (void)fputc('\n', out);
}

/* ---- a command's text ---- */

enum block {
    BLOCK_HEAD, /* nothing stands before */
    BLOCK_NONE,
    BLOCK_PARAGRAPH,
    BLOCK_EXAMPLE,
};

static void begin_block(enum block *block, enum block next, FILE *out)
{
    if (*block == BLOCK_EXAMPLE && next != BLOCK_EXAMPLE) {
        (void)fputs(".RE\n.fi\n", out);
    }
    if (next != *block && next != BLOCK_NONE && *block != BLOCK_HEAD) {
        (void)fputs(".PP\n", out);
    }
    if (next == BLOCK_EXAMPLE && *block != BLOCK_EXAMPLE) {
        (void)fputs(".nf\n.RS 4\n", out);
    }
    *block = next;
}

/* Lines that are indented stay as they are, others are filled. */
static void print_prose(const char *text, FILE *out)
{
    enum block block = BLOCK_HEAD;
    while (*text != '\0') {
        size_t size = strcspn(text, "\n");
        bool is_example = size > 2 && text[0] == ' ' && text[1] == ' ';
        if (size == 0) {
            begin_block(&block, BLOCK_NONE, out);
        } else {
            size_t indent = is_example ? 2 : 0;
            begin_block(&block, is_example ? BLOCK_EXAMPLE : BLOCK_PARAGRAPH, out);
            print_text(text + indent, size - indent, out);
            (void)fputc('\n', out);
        }
        text += size + (text[size] == '\n' ? 1 : 0);
    }
    begin_block(&block, BLOCK_NONE, out);
}

static void print_flag(void *ctx, const struct flag *flag)
{
    FILE *out = ctx;
    (void)fputs(".TP\n", out);
    if (flag->letter != '\0') {
        (void)fprintf(out, "\\fB\\-%c\\fR, ", flag->letter);
    }
    (void)fputs("\\fB\\-\\-", out);
    print_text(flag->name, strlen(flag->name), out);
    (void)fputs("\\fR", out);
    if (flag->placeholder != NULL) {
        (void)fputs(" \\fI", out);
        print_text(flag->placeholder, strlen(flag->placeholder), out);
        (void)fputs("\\fR", out);
    }
    (void)fputc('\n', out);
    print_line(flag->help, out);
}

/* The flags of clients stand once, behind the commands. */
static void print_command(const struct main_command *command, FILE *out)
{
    const struct command_form *form = command->form;
    (void)fprintf(out, ".SS \"pontoon %s", command->name);
    if (form != NULL && form->synopsis[0] != '\0') {
        (void)fputc(' ', out);
        print_text(form->synopsis, strlen(form->synopsis), out);
    }
    (void)fputs("\"\n", out);
    if (form == NULL) {
        print_line(command->summary, out);
        return;
    }
    struct command_form own = *form;
    own.timeout_ms = 0;
    print_prose(form->text, out);
    main_form_each_flag(&own, print_flag, out);
    if (form->timeout_ms != 0) {
        (void)fprintf(out, ".PP\nAnd the flags of clients, below; \\fB\\-\\-timeout\\fR is %us.\n",
                      (unsigned)(form->timeout_ms / 1000));
    }
}

/* ---- the page ---- */

static void print_statuses(FILE *out)
{
    static const struct {
        enum exit_status status;
        const char *meaning;
    } rows[] = {
        {EXIT_OK, "It was done."},
        {EXIT_FAILED, "It was refused, or failed."},
        {EXIT_USAGE, "It was called wrongly."},
        {EXIT_NOT_FOUND, "There is no such key, or lease."},
        {EXIT_PRECONDITION, "What it was to be done under does not hold."},
        {EXIT_UNAVAILABLE,
         "No node answered, or none could: nothing was done. It may be repeated."},
        {EXIT_UNKNOWN, "It may have been done, or may yet be. Look before you repeat it."},
    };
    (void)fputs(".SH \"EXIT STATUS\"\n", out);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        (void)fprintf(out, ".TP\n.B %d\n", (int)rows[i].status);
        print_line(rows[i].meaning, out);
    }
}

static void print_environment(FILE *out)
{
    (void)fputs(".SH ENVIRONMENT\n.TP\n.B PONTOON_ENDPOINTS\n", out);
    print_line("The nodes to ask where \"--endpoints\" is not given.", out);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char name[OPTION_NAME_SIZE_MAX];
        main_options_environment_name(&main_options_table[i], name);
        (void)fprintf(out, ".TP\n.B %s\n", name);
        (void)fputs("A setting of \\fBpontoon serve\\fR: \\fB\\-\\-", out);
        print_text(main_options_table[i].name, strlen(main_options_table[i].name), out);
        (void)fputs("\\fR.\n", out);
    }
}

void main_manual_print(FILE *out)
{
    (void)fputs(".TH PONTOON 1 \"\" \"pontoon " PONTOON_VERSION "\" \"User Commands\"\n"
                ".SH NAME\n"
                "pontoon \\- a replicated key\\-value store that speaks plain HTTP\n"
                ".SH SYNOPSIS\n"
                ".B pontoon\n"
                ".I COMMAND\n"
                "[\\fIFLAG\\fR]... [\\fIARGUMENT\\fR]...\n"
                ".SH DESCRIPTION\n"
                "pontoon keeps keys and values on one machine or on several. One program is the\n"
                "node and its client: \\fBpontoon serve\\fR runs a node, the other commands ask\n"
                "nodes over HTTP, or look at the data of a stopped one.\n"
                ".PP\n"
                "What is asked for goes to standard output, all else to standard error.\n"
                ".SH COMMANDS\n",
                out);
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        print_command(command, out);
    }
    static const struct command_form client = {.timeout_ms = CLIENT_TIMEOUT_MS};
    (void)fputs(".SH \"FLAGS OF CLIENTS\"\n", out);
    main_form_each_flag(&client, print_flag, out);
    print_statuses(out);
    print_environment(out);
    (void)fputs(".SH \"SEE ALSO\"\n.BR curl (1)\n", out);
}
