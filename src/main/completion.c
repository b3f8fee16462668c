#include "main/completion.h"

#include <string.h>

#include "base/compiler.h"
#include "main/command.h"

/* ---- what the shells share ---- */

/* Whether a value is a file, as its placeholder says. */
static bool is_file(const struct flag *flag)
{
    return flag->placeholder != NULL && (strncmp(flag->placeholder, "FILE", 4) == 0 ||
                                         strncmp(flag->placeholder, "DIR", 3) == 0);
}

static void each_flag(const struct main_command *command,
                      void (*each)(void *ctx, const struct flag *flag), FILE *out)
{
    if (command->form != NULL) {
        main_form_each_flag(command->form, each, out);
    }
}

static void print_words(const char *const *words, FILE *out)
{
    for (const char *const *word = words; *word != NULL; word++) {
        (void)fprintf(out, "%s%s", word == words ? "" : " ", *word);
    }
}

static void print_command_names(FILE *out)
{
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        (void)fprintf(out, "%s%s", command == main_commands ? "" : " ", command->name);
    }
}

static bool is_help(const struct main_command *command)
{
    return strcmp(command->name, "help") == 0;
}

static void print_verbs(const struct main_command *command, FILE *out)
{
    if (is_help(command)) {
        print_command_names(out);
    } else if (command->form != NULL && command->form->verbs != NULL) {
        print_words(command->form->verbs, out);
    }
}

static bool takes_files(const struct main_command *command)
{
    return command->form != NULL && (command->form->takes_files || command->form->takes_program);
}

/* In single quotes, for any of the shells; `escaped` are characters that get a backslash. */
static void print_quoted(const char *text, const char *escaped, FILE *out)
{
    (void)fputc('\'', out);
    for (const char *byte = text; *byte != '\0'; byte++) {
        if (*byte == '\'') {
            (void)fputs("'\\''", out);
            continue;
        }
        if (strchr(escaped, *byte) != NULL) {
            (void)fputc('\\', out);
        }
        (void)fputc(*byte, out);
    }
    (void)fputc('\'', out);
}

/* ---- bash ---- */

static void bash_flag_name(void *ctx, const struct flag *flag)
{
    (void)fprintf(ctx, " --%s", flag->name);
}

/* How the word behind a flag is completed. */
static void bash_flag_value(void *ctx, const struct flag *flag)
{
    FILE *out = ctx;
    if (flag->placeholder == NULL) {
        return;
    }
    (void)fputs("        ", out);
    if (flag->letter != '\0') {
        (void)fprintf(out, "-%c | ", flag->letter);
    }
    (void)fprintf(out, "--%s) ", flag->name);
    if (flag->choices != NULL) {
        (void)fputs("words=\"", out);
        print_words(flag->choices, out);
        (void)fputs("\" kind=words", out);
    } else {
        (void)fputs(is_file(flag) ? "kind=files" : "kind=value", out);
    }
    (void)fputs(" ;;\n", out);
}

static void bash_command(const struct main_command *command, FILE *out)
{
    (void)fprintf(out, "    %s)\n        flags=\"--help", command->name);
    each_flag(command, bash_flag_name, out);
    (void)fputs("\" verbs=\"", out);
    print_verbs(command, out);
    (void)fprintf(out, "\" files=%s\n        case $previous in\n",
                  takes_files(command) ? "yes" : "no");
    each_flag(command, bash_flag_value, out);
    (void)fputs("        esac\n        ;;\n", out);
}

void main_completion_bash(FILE *out)
{
    (void)fputs("# bash completion for pontoon, by \"pontoon completion bash\":\n"
                "#   source <(pontoon completion bash)\n"
                "_pontoon()\n"
                "{\n"
                "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local flags='' verbs='' words='' files=no kind=''\n"
                "    COMPREPLY=()\n"
                "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                "        COMPREPLY=($(compgen -W '",
                out);
    print_command_names(out);
    (void)fputs(" --help --version' -- \"$current\"))\n"
                "        return\n"
                "    fi\n"
                "    case ${COMP_WORDS[1]} in\n",
                out);
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        bash_command(command, out);
    }
    (void)fputs("    esac\n"
                "    if [ -z \"$kind\" ]; then\n"
                "        case $current in\n"
                "        -*) words=$flags kind=words ;;\n"
                "        *)\n"
                "            if [ -n \"$verbs\" ] && [ \"$COMP_CWORD\" -eq 2 ]; then\n"
                "                words=$verbs kind=words\n"
                "            elif [ \"$files\" = yes ]; then\n"
                "                kind=files\n"
                "            fi\n"
                "            ;;\n"
                "        esac\n"
                "    fi\n"
                "    case $kind in\n"
                "    words) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
                "    files) compopt -o filenames 2>/dev/null\n"
                "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\") ;;\n"
                "    esac\n"
                "}\n"
                "complete -F _pontoon pontoon\n",
                out);
}

/* ---- zsh ---- */

#define ZSH_ESCAPED "[]:\\"

static void zsh_flag(void *ctx, const struct flag *flag)
{
    FILE *out = ctx;
    (void)fputs(" \\\n            ", out);
    if (flag->letter != '\0') {
        (void)fprintf(out, "'(-%c --%s)'{-%c,--%s}", flag->letter, flag->name, flag->letter,
                      flag->name);
    } else {
        (void)fprintf(out, "--%s", flag->name);
    }
    (void)fputc('[', out);
    print_quoted(flag->help, ZSH_ESCAPED, out);
    (void)fputc(']', out);
    if (flag->placeholder == NULL) {
        return;
    }
    (void)fputc(':', out);
    print_quoted(flag->placeholder, ZSH_ESCAPED, out);
    (void)fputc(':', out);
    if (flag->choices != NULL) {
        (void)fputs("'(", out);
        print_words(flag->choices, out);
        (void)fputs(")'", out);
    } else if (is_file(flag)) {
        (void)fputs("_files", out);
    }
}

static void zsh_command(const struct main_command *command, FILE *out)
{
    bool has_verbs = is_help(command) || (command->form != NULL && command->form->verbs != NULL);
    (void)fprintf(out, "    %s)\n        _arguments -s -S --help'[tell more]'", command->name);
    each_flag(command, zsh_flag, out);
    if (has_verbs) {
        (void)fputs(" \\\n            '1: :(", out);
        print_verbs(command, out);
        (void)fputs(")'", out);
    }
    if (takes_files(command)) {
        (void)fputs(" \\\n            '*: :_files'", out);
    }
    (void)fputs("\n        ;;\n", out);
}

void main_completion_zsh(FILE *out)
{
    (void)fputs(
        "#compdef pontoon\n"
        "# zsh completion for pontoon, by \"pontoon completion zsh\": a file _pontoon in a\n"
        "# directory of $fpath.\n"
        "_pontoon() {\n"
        "    local -a commands\n"
        "    commands=(\n",
        out);
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        (void)fprintf(out, "        %s:", command->name);
        print_quoted(command->summary, ":\\", out);
        (void)fputc('\n', out);
    }
    (void)fputs("    )\n"
                "    if (( CURRENT == 2 )); then\n"
                "        _describe command commands\n"
                "        return\n"
                "    fi\n"
                "    shift words\n"
                "    (( CURRENT-- ))\n"
                "    case $words[1] in\n",
                out);
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        zsh_command(command, out);
    }
    (void)fputs("    esac\n"
                "}\n"
                "if [ \"$funcstack[1]\" = _pontoon ]; then\n"
                "    _pontoon \"$@\"\n"
                "else\n"
                "    compdef _pontoon pontoon\n"
                "fi\n",
                out);
}

/* ---- fish ---- */

#define FISH_ESCAPED "\\"

struct fish {
    const char *command;
    FILE *out;
};

static void fish_line(const struct fish *fish)
{
    (void)fprintf(fish->out, "complete -c pontoon -n '__fish_seen_subcommand_from %s'",
                  fish->command);
}

static void fish_flag(void *ctx, const struct flag *flag)
{
    const struct fish *fish = ctx;
    FILE *out = fish->out;
    fish_line(fish);
    (void)fprintf(out, " -l %s", flag->name);
    if (flag->letter != '\0') {
        (void)fprintf(out, " -s %c", flag->letter);
    }
    if (flag->choices != NULL) {
        (void)fputs(" -x -a '", out);
        print_words(flag->choices, out);
        (void)fputc('\'', out);
    } else if (flag->placeholder != NULL) {
        (void)fputs(is_file(flag) ? " -r -F" : " -x", out);
    }
    (void)fputs(" -d ", out);
    print_quoted(flag->help, FISH_ESCAPED, out);
    (void)fputc('\n', out);
}

static void fish_command(const struct main_command *command, FILE *out)
{
    struct fish fish = {.command = command->name, .out = out};
    (void)fprintf(out, "complete -c pontoon -n __fish_use_subcommand -a %s -d ", command->name);
    print_quoted(command->summary, FISH_ESCAPED, out);
    (void)fputc('\n', out);
    if (command->form != NULL) {
        main_form_each_flag(command->form, fish_flag, &fish);
    }
    if (is_help(command) || (command->form != NULL && command->form->verbs != NULL)) {
        fish_line(&fish);
        (void)fputs(" -a '", out);
        print_verbs(command, out);
        (void)fputs("'\n", out);
    }
    if (takes_files(command)) {
        fish_line(&fish);
        (void)fputs(" -F\n", out);
    }
}

void main_completion_fish(FILE *out)
{
    (void)fputs("# fish completion for pontoon, by \"pontoon completion fish\":\n"
                "#   pontoon completion fish >~/.config/fish/completions/pontoon.fish\n"
                "complete -c pontoon -f\n"
                "complete -c pontoon -l help -d 'tell more'\n",
                out);
    for (const struct main_command *command = main_commands; command->name != NULL; command++) {
        fish_command(command, out);
    }
}
