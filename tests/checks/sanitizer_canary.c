/*
 * Faults on purpose, one a mode: overflow, leak, arithmetic, race. canary.py runs it and wants each
 * reported. If this program ends in peace, the sanitizer is not at work.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fault_overflow(void)
{
    volatile size_t size = 8;
    char *block = malloc(size);
    memset(block, 1, size + 1);
    printf("%d\n", block[0]);
    free(block);
}

static void fault_leak(void)
{
    void *volatile block = malloc(64);
    block = NULL;
    (void)block;
}

static void fault_arithmetic(void)
{
    volatile int largest = 0x7fffffff;
    largest = largest + 1;
    printf("%d\n", largest);
}

static void *race_count(void *counter)
{
    for (int i = 0; i < 1000; i++) {
        *(volatile int *)counter += 1;
    }
    return NULL;
}

static void fault_race(void)
{
    int counter = 0;
    pthread_t other;
    if (pthread_create(&other, NULL, race_count, &counter) != 0) {
        abort();
    }
    race_count(&counter);
    pthread_join(other, NULL);
    printf("%d\n", counter);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*fault)(void);
    } modes[] = {{"overflow", fault_overflow},
                 {"leak", fault_leak},
                 {"arithmetic", fault_arithmetic},
                 {"race", fault_race}};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (argc == 2 && strcmp(argv[1], modes[i].name) == 0) {
            modes[i].fault();
            return 0;
        }
    }
    return 2;
}
