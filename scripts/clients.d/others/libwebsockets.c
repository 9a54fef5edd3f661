// C's libwebsockets, without its permessage-deflate, with which 4.1 spins when a message that is not compressed comes
// behind one that is. See ../others.py for what it does.
#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>

static const char *room, *name;
static int count, said, left = 1, ended;
// What is to be said once the line takes it, behind the room that libwebsockets needs for the header.
static unsigned char next[LWS_PRE + 512];
static char heard[1 << 20];
static size_t heard_bytes;

static void say(struct lws *line, const char *request) {
    snprintf((char *)next + LWS_PRE, sizeof next - LWS_PRE, "%s", request);
    lws_callback_on_writable(line);
}

static int fail(const char *why) {
    fprintf(stderr, "libwebsockets: %s\n", why);
    return -1;
}

/// Answers a message; -1 ends the connection.
static int answer(struct lws *line) {
    char request[512], wanted[128];
    if (strstr(heard, "\"code\":") && !strstr(heard, "\"code\":0")) return fail(heard);
    snprintf(wanted, sizeof wanted, "\"text\":\"good bye %s\"", name);
    if (strstr(heard, "\"id\":\"h\"")) {
        snprintf(request, sizeof request, "{\"op\":\"join\",\"id\":\"j\",\"room\":\"%s\"}", room);
        say(line, request);
    } else if (strstr(heard, "\"id\":\"") && said < count) {
        snprintf(request, sizeof request, "{\"op\":\"send\",\"id\":\"s\",\"room\":\"%s\",\"text\":\"%s %d\"}", room, name, said++);
        say(line, request);
    } else if (strstr(heard, wanted)) {
        printf("libwebsockets %d.%d.%d\n", LWS_LIBRARY_VERSION_MAJOR, LWS_LIBRARY_VERSION_MINOR, LWS_LIBRARY_VERSION_PATCH);
        left = 0;
        lws_close_reason(line, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
        return -1;
    }
    return 0;
}

static int on_event(struct lws *line, enum lws_callback_reasons event, void *user, void *data, size_t bytes) {
    char hello[128];
    switch (event) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        snprintf(hello, sizeof hello, "{\"op\":\"hello\",\"id\":\"h\",\"name\":\"%s\"}", name);
        say(line, hello);
        break;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        bytes = strlen((char *)next + LWS_PRE);
        if (bytes > 0) lws_write(line, next + LWS_PRE, bytes, LWS_WRITE_TEXT);
        next[LWS_PRE] = 0;
        break;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (heard_bytes + bytes >= sizeof heard) return fail("a message is too long");
        memcpy(heard + heard_bytes, data, bytes);
        heard_bytes += bytes;
        if (!lws_is_final_fragment(line)) break;
        heard[heard_bytes] = 0;
        heard_bytes = 0;
        return answer(line);
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        ended = 1;
        return fail(data ? data : "no connection");
    case LWS_CALLBACK_CLIENT_CLOSED:
        ended = 1;
        if (left) fail("the connection has ended");
        break;
    default:
        break;
    }
    return 0;
}

int main(int arguments, char **argument) {
    static struct lws_protocols protocols[] = {{"chinwag.v1", on_event, 0, 4096}, {NULL}};
    struct lws_context_creation_info settings = {.port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols};
    struct lws_client_connect_info server = {.protocol = "chinwag.v1"};
    const char *scheme, *path;
    char full_path[128], host[128];
    if (arguments != 5 || lws_parse_uri(argument[1], &scheme, &server.address, &server.port, &path)) return 2;
    room = argument[2], name = argument[3], count = atoi(argument[4]);
    snprintf(full_path, sizeof full_path, "/%s", path);
    snprintf(host, sizeof host, "%s:%d", server.address, server.port);
    server.path = full_path, server.host = host;
    lws_set_log_level(LLL_ERR, NULL);
    server.context = lws_create_context(&settings);
    lws_client_connect_via_info(&server);
    while (!ended && lws_service(server.context, 0) >= 0) {}
    lws_context_destroy(server.context);
    return left;
}
