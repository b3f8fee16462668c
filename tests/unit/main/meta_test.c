#include "fake_node.h"
#include "main/meta.h"

static struct client *ask(struct fake_node *node, const struct client_settings *settings)
{
    static char *const no_environment[] = {NULL};
    struct client *client = NULL;
    struct err_note note;
    assert_int_equal(main_client_open(&client, settings, no_environment, &note), OK);
    const struct client_request request = {.method = "GET", .path = "/kv/a"};
    assert_int_equal(main_client_ask(client, &request, &note), EXIT_OK);
    assert_int_equal(node->requests, 1);
    return client;
}

static void what_is_known_of_a_key_is_in_the_header(void **state)
{
    (void)state;
    struct fake_node node = {
        .answers = {"HTTP/1.1 200 OK\r\nConnection: close\r\nETag: \"42-gzip\"\r\nKV-Version: 3\r\n"
                    "KV-TTL: 1.500\r\nContent-Length: 0\r\nX-Other: 1\r\n\r\n"}};
    struct client_settings settings = CLIENT_SETTINGS_DEFAULT;
    fake_start(&node);
    settings.endpoints = node.address;
    struct client *client = ask(&node, &settings);
    struct json_object *document = json_object_new_object();
    main_meta_add(client, document);
    assert_string_equal(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN),
                        "{\"etag\":\"42-gzip\",\"version\":3,\"size\":0,\"ttl\":\"1.500\"}");
    json_object_put(document);
    char text[128] = "";
    FILE *out = fmemopen(text, sizeof(text), "w");
    main_meta_print(client, out);
    (void)fclose(out);
    assert_string_equal(text, "etag: 42-gzip\nversion: 3\nsize: 0\nttl: 1.500\n");
    main_client_close(client);
    fake_stop(&node);
}

static void bytes_that_are_no_text_are_base64(void **state)
{
    (void)state;
    struct json_object *document = json_object_new_object();
    main_meta_add_bytes(document, "key", SLICE_LITERAL("a/\xc3\xa4"));
    main_meta_add_bytes(document, "value", SLICE_LITERAL("\x00\xff"));
    main_meta_add_bytes(document, "empty", SLICE_EMPTY);
    assert_string_equal(json_object_to_json_string_ext(
                            document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
                        "{\"key\":\"a/\xc3\xa4\",\"value_base64\":\"AP8=\",\"empty\":\"\"}");
    json_object_put(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_known_of_a_key_is_in_the_header),
        cmocka_unit_test(bytes_that_are_no_text_are_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
