/* pontoon completion: what a shell completes. */
#include <string.h>

#include "base/compiler.h"
#include "main/command.h"
#include "main/completion.h"

static const char text[] =
    "pontoon completion prints a script that has a shell complete commands, flags and values.\n"
    "\n"
    "  source <(pontoon completion bash)\n"
    "  pontoon completion bash >/etc/bash_completion.d/pontoon\n"
    "  pontoon completion zsh >/usr/local/share/zsh/site-functions/_pontoon\n"
    "  pontoon completion fish >~/.config/fish/completions/pontoon.fish\n";

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

const struct command_form main_form_completion = {
    .synopsis = "bash|zsh|fish",
    .text = text,
    .verbs = shells,
};

enum exit_status main_cmd_completion(struct env *env, int count, char *const *arguments)
{
    static void (*const scripts[])(FILE * out) = {main_completion_bash, main_completion_zsh,
                                                  main_completion_fish};
    static const struct flag_group none[] = {{NULL, NULL}};
    struct flag_words words;
    struct err_note note = {""};
    (void)env;
    if (main_flags_parse(none, count, arguments, 1, &words, &note) != OK) {
        return main_command_complain("completion", &note, EXIT_USAGE);
    }
    for (size_t i = 0; words.count == 1 && i < ARRAY_COUNT(scripts); i++) {
        if (strcmp(words.items[0], shells[i]) == 0) {
            scripts[i](stdout);
            return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
        }
    }
    (void)err_note_set(&note, ERR_BAD_REQUEST, "say for which shell: bash, zsh or fish");
    return main_command_complain("completion", &note, EXIT_USAGE);
}
