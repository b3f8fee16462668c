#include "rules.h"

#include <inttypes.h>
#include <string.h>

#include "base/assert.h"

#define CHANCE_MAX 1000u

void rules_init(struct rules *rules, unsigned port_count, uint64_t seed)
{
    ASSERT(port_count >= 1);
    ASSERT(port_count <= RULES_PORTS_MAX);
    *rules = (struct rules){.port_count = port_count};
    struct prng seeds;
    prng_init(&seeds, seed);
    for (unsigned from = 0; from < RULES_PORTS_MAX; from++) {
        for (unsigned to = 0; to < RULES_PORTS_MAX; to++) {
            prng_init(&rules->prngs[from][to], prng_next(&seeds));
        }
    }
}

/* ---- lines ---- */

/* Takes the next word out of `rest`; empty: there is none. */
static struct slice take_word(struct slice *rest)
{
    while (rest->size > 0 && rest->data[0] == ' ') {
        rest->data++;
        rest->size--;
    }
    struct slice word = {rest->data, 0};
    while (rest->size > 0 && rest->data[0] != ' ') {
        rest->data++;
        rest->size--;
        word.size++;
    }
    return word;
}

static bool is_text(struct slice word, const char *text)
{
    return slice_equal(word, slice_from_text(text));
}

/* Digits alone, up to `max`. */
static bool parse_number(struct slice word, uint32_t max, uint32_t *out_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < word.size; i++) {
        unsigned digit = (unsigned)word.data[i] - '0';
        number = number * 10 + digit;
        if (digit > 9 || number > max) {
            return false;
        }
    }
    *out_number = (uint32_t)number;
    return word.size > 0;
}

/* Which ports a word names: as bits, from the lowest for port 1; 0: none that there is. */
static uint32_t parse_ports(struct slice word, unsigned port_count)
{
    uint32_t number;
    if (is_text(word, "*")) {
        return (UINT32_C(1) << port_count) - 1;
    }
    return parse_number(word, port_count, &number) && number > 0 ? UINT32_C(1) << (number - 1) : 0;
}

/* What stands before the first `mark`, and the rest behind it. False: there is no mark. */
static bool split(struct slice word, char mark, struct slice *out_before, struct slice *out_after)
{
    const uint8_t *found = word.size > 0 ? memchr(word.data, mark, word.size) : NULL;
    if (found == NULL) {
        return false;
    }
    size_t size = (size_t)(found - word.data);
    *out_before = (struct slice){word.data, size};
    *out_after = (struct slice){found + 1, word.size - size - 1};
    return true;
}

static bool parse_delay(struct slice word, struct rule *rule)
{
    struct slice min = word;
    struct slice max = word;
    (void)split(word, '-', &min, &max);
    return parse_number(min, RULES_DELAY_US_MAX, &rule->delay_us_min) &&
           parse_number(max, RULES_DELAY_US_MAX, &rule->delay_us_max) &&
           rule->delay_us_min <= rule->delay_us_max;
}

/* One "name=value" of a link line. */
static bool parse_setting(struct slice word, struct rule *rule)
{
    struct slice name;
    struct slice value;
    if (!split(word, '=', &name, &value)) {
        return false;
    }
    if (is_text(name, "loss")) {
        return parse_number(value, CHANCE_MAX, &rule->loss);
    }
    if (is_text(name, "duplicate")) {
        return parse_number(value, CHANCE_MAX, &rule->duplicate);
    }
    if (is_text(name, "corrupt")) {
        return parse_number(value, CHANCE_MAX, &rule->corrupt);
    }
    if (is_text(name, "rate")) {
        return parse_number(value, QUEUE_RATE_MAX, &rule->queue.rate);
    }
    return is_text(name, "delay") && parse_delay(value, rule);
}

/* The rule that a link line asks for. */
static bool parse_rule(struct slice rest, struct rule *out_rule)
{
    struct rule rule = {0};
    for (struct slice word = take_word(&rest); word.size > 0; word = take_word(&rest)) {
        if (!parse_setting(word, &rule)) {
            return false;
        }
    }
    *out_rule = rule;
    return true;
}

enum verb {
    VERB_CUT,
    VERB_HEAL,
    VERB_LINK,
    VERB_COUNT
};

static enum verb verb_of(struct slice word)
{
    static const char *const names[VERB_COUNT] = {"cut", "heal", "link"};
    unsigned verb = 0;
    while (verb < VERB_COUNT && !is_text(word, names[verb])) {
        verb++;
    }
    return (enum verb)verb;
}

/* Sets `wanted`, or of it only whether the link is cut, on every link between the two sets. */
static void set_links(struct rules *rules, uint32_t froms, uint32_t tos, enum verb verb,
                      const struct rule *wanted)
{
    for (unsigned from = 0; from < rules->port_count; from++) {
        for (unsigned to = 0; to < rules->port_count; to++) {
            if ((froms >> from & 1) == 0 || (tos >> to & 1) == 0) {
                continue;
            }
            struct rule *rule = &rules->links[from][to];
            bool is_cut = verb == VERB_LINK ? rule->is_cut : verb == VERB_CUT;
            if (verb == VERB_LINK) {
                *rule = *wanted;
            }
            rule->is_cut = is_cut;
        }
    }
}

/* What is wrong with the line, in words with static storage; NULL: it was carried out. */
static const char *change(struct rules *rules, struct slice line)
{
    enum verb verb = verb_of(take_word(&line));
    if (verb == VERB_COUNT) {
        return "a line begins with link, cut, heal or counts";
    }
    uint32_t froms = parse_ports(take_word(&line), rules->port_count);
    uint32_t tos = parse_ports(take_word(&line), rules->port_count);
    if (froms == 0 || tos == 0) {
        return "two ports stand behind it, each a number from 1 or *";
    }
    struct rule wanted = {0};
    if (verb == VERB_LINK) {
        if (!parse_rule(line, &wanted)) {
            return "a link has loss=, duplicate=, corrupt= (thousandths), delay=MIN-MAX (us) and "
                   "rate= (bytes/s)";
        }
    } else if (take_word(&line).size > 0) {
        return "there is more than two ports";
    }
    set_links(rules, froms, tos, verb, &wanted);
    return NULL;
}

void rules_command(struct rules *rules, struct slice line, struct writer *answer)
{
    if (is_text(line, "counts")) {
        writer_format(answer,
                      "forwarded=%" PRIu64 " cut=%" PRIu64 " lost=%" PRIu64 " duplicated=%" PRIu64
                      " corrupted=%" PRIu64 " overflowed=%" PRIu64 "\n",
                      rules->counts.forwarded, rules->counts.cut, rules->counts.lost,
                      rules->counts.duplicated, rules->counts.corrupted, rules->counts.overflowed);
        return;
    }
    const char *problem = change(rules, line);
    if (problem == NULL) {
        writer_format(answer, "ok\n");
    } else {
        writer_format(answer, "error: %s\n", problem);
    }
}

/* ---- packets ---- */

struct prng *rules_prng(struct rules *rules, unsigned from, unsigned to)
{
    ASSERT(from >= 1 && from <= rules->port_count);
    ASSERT(to >= 1 && to <= rules->port_count);
    return &rules->prngs[from - 1][to - 1];
}

struct queue *rules_queue(struct rules *rules, unsigned from, unsigned to)
{
    ASSERT(from >= 1 && from <= rules->port_count);
    ASSERT(to >= 1 && to <= rules->port_count);
    return &rules->links[from - 1][to - 1].queue;
}

static bool happens(struct prng *prng, uint32_t chance)
{
    return chance > 0 && prng_below(prng, CHANCE_MAX) < chance;
}

void rules_judge(struct rules *rules, unsigned from, unsigned to, struct rules_fate *out_fate)
{
    struct prng *prng = rules_prng(rules, from, to);
    const struct rule *rule = &rules->links[from - 1][to - 1];
    *out_fate = (struct rules_fate){0};
    if (rule->is_cut) {
        rules->counts.cut++;
        return;
    }
    if (happens(prng, rule->loss)) {
        rules->counts.lost++;
        return;
    }
    rules->counts.forwarded++;
    out_fate->count = happens(prng, rule->duplicate) ? 2 : 1;
    rules->counts.duplicated += out_fate->count - 1;
    for (unsigned i = 0; i < out_fate->count; i++) {
        struct rules_copy *copy = &out_fate->copies[i];
        copy->is_corrupt = happens(prng, rule->corrupt);
        copy->delay_us = rule->delay_us_min;
        if (rule->delay_us_max > rule->delay_us_min) {
            uint32_t width = rule->delay_us_max - rule->delay_us_min;
            copy->delay_us += (uint32_t)prng_below(prng, (uint64_t)width + 1);
        }
    }
}
