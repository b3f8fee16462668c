#include "main/form.h"

#include "main/client.h"
#include "main/options_int.h"

/* As the command line takes it: a switch, or a name and a value. */
static struct flag flag_of_setting(const struct option_row *row)
{
    bool is_switch = row->type == OPTION_BOOL;
    return (struct flag){
        .name = row->name,
        .type = is_switch                    ? FLAG_SWITCH
                : row->type == OPTION_CHOICE ? FLAG_CHOICE
                                             : FLAG_TEXT,
        .choices = row->choices,
        .placeholder = is_switch ? NULL : row->placeholder,
        .help = row->help,
    };
}

void main_form_each_flag(const struct command_form *form,
                         void (*each)(void *ctx, const struct flag *flag), void *ctx)
{
    for (const struct flag *flag = form->flags; flag != NULL && flag->name != NULL; flag++) {
        each(ctx, flag);
    }
    if (form->timeout_ms != 0) {
        main_client_each_flag(form->timeout_ms, each, ctx);
    }
    for (size_t i = 0; form->has_settings && i < OPTION_COUNT; i++) {
        struct flag flag = flag_of_setting(&main_options_table[i]);
        each(ctx, &flag);
    }
}

static void print_flag(void *ctx, const struct flag *flag)
{
    main_flags_print_one(flag, ctx);
}

void main_form_print(const struct command_form *form, FILE *out)
{
    (void)fputs(form->text, out);
    if (form->has_settings) {
        (void)fputs("\nSettings (--name VALUE or --name=VALUE; \"name = value\" in the file):\n",
                    out);
        main_options_print(out);
    } else if (form->flags != NULL || form->timeout_ms != 0) {
        (void)fputs("\nFlags:\n", out);
        main_form_each_flag(form, print_flag, out);
    }
}
