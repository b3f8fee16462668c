#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "env/uv.h"
#include "node/identity.h"

struct fixture {
    struct env *env;
    char directory[64];
    char path[96];
    struct membership founders;
};

static int setup(void **state)
{
    struct fixture *fixture = test_calloc(1, sizeof(*fixture));
    fixture->env = env_uv_open();
    snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/pontoon-identity-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->path, sizeof(fixture->path), "%s/identity", fixture->directory);
    for (node_id id = 1; id <= 3; id++) {
        struct member member = {.id = id};
        snprintf(member.peer_address, sizeof(member.peer_address), "127.0.0.1:%u",
                 4000u + (unsigned)id);
        assert_true(membership_put(&fixture->founders, &member));
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    char next[128];
    (void)snprintf(next, sizeof(next), "%s.new", fixture->path);
    (void)remove(next);
    (void)remove(fixture->path);
    (void)remove(fixture->directory);
    env_uv_close(fixture->env);
    test_free(fixture);
    return 0;
}

static err claim(struct fixture *fixture, node_id node, const char *cluster_name,
                 const struct membership *founders, struct identity *out_identity,
                 struct err_note *note)
{
    struct identity_claim claim = {
        .node = node, .cluster_name = cluster_name, .founders = founders};
    return identity_open(fixture->env, fixture->directory, &claim, out_identity, note);
}

static void it_is_made_once_and_found_again(void **state)
{
    struct fixture *fixture = *state;
    struct identity made;
    struct identity found;
    struct err_note note;
    assert_int_equal(claim(fixture, 2, "blue", &fixture->founders, &made, &note), OK);
    assert_int_equal(claim(fixture, 2, "blue", &fixture->founders, &found, &note), OK);
    assert_int_equal(made.cluster_id, found.cluster_id);
    assert_int_equal(made.instance, found.instance);
    assert_int_equal(found.node, 2);
}

static void first_members_agree_on_the_cluster_and_differ_in_the_instance(void **state)
{
    struct fixture *fixture = *state;
    struct identity second;
    struct identity third;
    struct err_note note;
    assert_int_equal(claim(fixture, 2, "", &fixture->founders, &second, &note), OK);
    assert_int_equal(remove(fixture->path), 0);
    assert_int_equal(claim(fixture, 3, "", &fixture->founders, &third, &note), OK);
    assert_int_equal(second.cluster_id, third.cluster_id);
    assert_int_not_equal(second.instance, third.instance);
}

static void another_id_name_or_founder_is_refused_with_a_way_out(void **state)
{
    struct fixture *fixture = *state;
    struct identity identity;
    struct err_note note;
    assert_int_equal(claim(fixture, 2, "blue", &fixture->founders, &identity, &note), OK);
    assert_int_equal(claim(fixture, 1, "blue", &fixture->founders, &identity, &note), ERR_IDENTITY);
    assert_non_null(strstr(note.text, "--id 2"));
    assert_int_equal(claim(fixture, 2, "green", &fixture->founders, &identity, &note),
                     ERR_IDENTITY);
    assert_non_null(strstr(note.text, "another cluster"));
    struct membership fewer = fixture->founders;
    membership_remove(&fewer, 3);
    assert_int_equal(claim(fixture, 2, "blue", &fewer, &identity, &note), ERR_IDENTITY);
}

static void a_node_alone_may_begin_to_listen_for_peers(void **state)
{
    struct fixture *fixture = *state;
    struct identity identity;
    struct err_note note;
    struct member self = {.id = 1};
    struct membership alone = {.member_count = 0};
    assert_true(membership_put(&alone, &self));
    assert_int_equal(claim(fixture, 1, "", &alone, &identity, &note), OK);
    snprintf(self.peer_address, sizeof(self.peer_address), "127.0.0.1:4000");
    assert_true(membership_put(&alone, &self));
    assert_int_equal(claim(fixture, 1, "", &alone, &identity, &note), OK);
}

static void what_was_met_and_founded_is_found_again(void **state)
{
    struct fixture *fixture = *state;
    struct identity made;
    struct identity found;
    struct err_note note;
    assert_int_equal(claim(fixture, 2, "", &fixture->founders, &made, &note), OK);
    assert_false(made.is_founded);
    made.is_founded = true;
    assert_true(identity_meet(&made, 3, 0xfeed));
    assert_true(identity_meet(&made, 1, 0xbeef));
    made.installing_region = 1;
    made.installing = (struct raft_pos){.term = 7, .index = 90};
    made.lost_region = 1;
    made.lost = (struct hard_state){.term = 8, .vote = 3};
    made.is_vote_lost = true;
    assert_false(identity_meet(&made, 3, 0xdead)); /* the first one counts */
    assert_int_equal(identity_save(fixture->env, fixture->directory, &made, &note), OK);
    assert_int_equal(claim(fixture, 2, "", &fixture->founders, &found, &note), OK);
    assert_true(found.is_founded);
    assert_int_equal(found.installing_region, 1);
    assert_int_equal(found.installing.term, 7);
    assert_int_equal(found.installing.index, 90);
    assert_int_equal(found.lost_region, 1);
    assert_int_equal(found.lost.term, 8);
    assert_int_equal(found.lost.vote, 3);
    assert_true(found.is_vote_lost);
    assert_int_equal(found.peer_count, 2);
    assert_int_equal(found.peers[0].id, 3);
    assert_int_equal(found.peers[0].instance, 0xfeed);
    assert_int_equal(found.peers[1].instance, 0xbeef);
}

static void the_next_one_has_its_blocks(void **state)
{
    struct fixture *fixture = *state;
    struct identity made;
    struct identity found;
    struct err_note note;
    struct stat status;
    char next[256];
    (void)snprintf(next, sizeof(next), "%s.new", fixture->path);
    assert_int_equal(claim(fixture, 2, "", &fixture->founders, &made, &note), OK);
    for (node_id peer = 1; peer <= 3; peer += 2) {
        assert_int_equal(stat(next, &status), 0);
        assert_true(status.st_blocks > 0);
        assert_true(identity_meet(&made, peer, 0xfeed + peer));
        assert_int_equal(identity_save(fixture->env, fixture->directory, &made, &note), OK);
    }
    assert_int_equal(claim(fixture, 2, "", &fixture->founders, &found, &note), OK);
    assert_int_equal(found.peer_count, 2);
}

static err join(struct fixture *fixture, uint64_t cluster_id, struct identity *out_identity,
                struct err_note *note)
{
    struct identity_claim claim = {.node = 4, .joins = cluster_id};
    return identity_open(fixture->env, fixture->directory, &claim, out_identity, note);
}

static void who_joins_is_told_the_cluster_until_it_was_taken_in(void **state)
{
    struct fixture *fixture = *state;
    struct identity identity;
    struct err_note note;
    struct member self = {.id = 4};
    struct membership alone = {.member_count = 0};
    assert_true(membership_put(&alone, &self));
    assert_int_equal(join(fixture, 0xabc, &identity, &note), OK);
    assert_true(identity.is_joining);
    assert_false(identity.is_founded);
    assert_int_equal(identity.cluster_id, 0xabc);
    assert_int_equal(join(fixture, 0xdef, &identity, &note), ERR_IDENTITY);
    assert_int_equal(join(fixture, 0xabc, &identity, &note), OK);
    identity.is_founded = true;
    assert_int_equal(identity_save(fixture->env, fixture->directory, &identity, &note), OK);
    assert_int_equal(claim(fixture, 4, "", &alone, &identity, &note), ERR_IDENTITY);
    assert_non_null(strstr(note.text, "start it with --join"));
    assert_int_equal(join(fixture, 0xabc, &identity, &note), OK);
    assert_true(identity.is_joining && identity.is_founded);
    identity.is_joining = false;
    assert_int_equal(identity_save(fixture->env, fixture->directory, &identity, &note), OK);
    /* From then on either way of starting it is right. */
    assert_int_equal(claim(fixture, 4, "", &alone, &identity, &note), OK);
    assert_int_equal(join(fixture, 0xabc, &identity, &note), OK);
    assert_int_equal(join(fixture, 0xdef, &identity, &note), ERR_IDENTITY);
    assert_false(identity.is_joining);
}

static void who_is_forgotten_may_come_with_another_directory(void **state)
{
    struct fixture *fixture = *state;
    struct identity identity;
    struct err_note note;
    assert_int_equal(claim(fixture, 2, "", &fixture->founders, &identity, &note), OK);
    assert_true(identity_meet(&identity, 1, 0xfeed));
    assert_true(identity_meet(&identity, 3, 0xbeef));
    assert_true(identity_forget(&identity, 1));
    assert_false(identity_forget(&identity, 1));
    assert_int_equal(identity.peer_count, 1);
    assert_int_equal(identity.peers[0].id, 3);
    assert_true(identity_meet(&identity, 1, 0xdead));
}

static void every_flipped_byte_and_every_cut_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct identity identity;
    struct err_note note;
    char text[1024];
    assert_int_equal(claim(fixture, 2, "", &fixture->founders, &identity, &note), OK);
    assert_true(identity_meet(&identity, 1, 77));
    assert_int_equal(identity_save(fixture->env, fixture->directory, &identity, &note), OK);
    FILE *file = fopen(fixture->path, "rb");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text), file);
    assert_int_equal(fclose(file), 0);
    for (size_t i = 0; i < 2 * size; i++) {
        char damaged[1024];
        memcpy(damaged, text, size);
        size_t length = i < size ? size : i - size;
        if (i < size) {
            damaged[i] = (char)(damaged[i] ^ 1);
        }
        file = fopen(fixture->path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(damaged, 1, length, file), length);
        assert_int_equal(fclose(file), 0);
        err e = claim(fixture, 2, "", &fixture->founders, &identity, &note);
        assert_true(e == ERR_DAMAGED || e == ERR_VERSION);
        assert_non_null(strstr(note.text, fixture->path));
    }
}

static void a_look_takes_any_and_makes_none(void **state)
{
    struct fixture *fixture = *state;
    struct identity made;
    struct identity found;
    struct err_note note = {""};
    assert_int_equal(identity_read(fixture->env, fixture->directory, &found, &note), ERR_NO_FILE);
    assert_null(fopen(fixture->path, "rb"));
    assert_int_equal(claim(fixture, 2, "blue", &fixture->founders, &made, &note), OK);
    assert_int_equal(identity_read(fixture->env, fixture->directory, &found, &note), OK);
    assert_int_equal(found.node, 2);
    assert_int_equal(found.cluster_id, made.cluster_id);
    assert_int_equal(found.instance, made.instance);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_made_once_and_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(
            first_members_agree_on_the_cluster_and_differ_in_the_instance, setup, teardown),
        cmocka_unit_test_setup_teardown(another_id_name_or_founder_is_refused_with_a_way_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_node_alone_may_begin_to_listen_for_peers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_met_and_founded_is_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(the_next_one_has_its_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(who_joins_is_told_the_cluster_until_it_was_taken_in, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(who_is_forgotten_may_come_with_another_directory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_look_takes_any_and_makes_none, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_byte_and_every_cut_is_refused, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
