/* The cases, from C's xmlrpc-c with its curl transport. Arguments: open URL, database URL, user name and password of it. One JSON line for each case.
   cc client.c -lxmlrpc_client -lxmlrpc -lxmlrpc_util */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xmlrpc-c/base.h>
#include <xmlrpc-c/client.h>

#define LARGE 10485760

/* Values are built beside the environment of the calls: in one where an error is noted nothing can be built. */
#define BUILD(...) (xmlrpc_env_clean(&building), xmlrpc_env_init(&building), xmlrpc_build_value(&building, __VA_ARGS__))

static xmlrpc_env env, building;
static xmlrpc_client *client;
static char said[400];

static void fatal(const char *what) {
    if (!env.fault_occurred) return;
    fprintf(stderr, "%s: %s\n", what, env.fault_string);
    exit(1);
}

static void report(const char *name) {
    const char *text = said[0] ? said : "ok";
    printf("{\"case\":\"%s\",\"outcome\":\"", name);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') printf("\\%c", *text);
        else if ((unsigned char)*text < 32) printf("\\u%04x", *text);
        else putchar(*text);
    }
    printf("\"}\n");
    fflush(stdout);
    said[0] = 0;
}

/* Adds to what is said of a case; the whole is cut. */
static void say(const char *way, const char *text, const char *more) {
    size_t used = strlen(said);
    snprintf(said + used, sizeof said - used, "%s%s%.100s%.150s", used ? "; " : "", way, text, more);
}

static xmlrpc_server_info *server_of(const char *url, const char *user, const char *password) {
    xmlrpc_env_clean(&env);
    xmlrpc_env_init(&env);
    xmlrpc_server_info *server = xmlrpc_server_info_new(&env, url);
    fatal(url);
    if (user) {
        xmlrpc_server_info_set_user(&env, server, user, password);
        xmlrpc_server_info_allow_auth_basic(&env, server);
        fatal("credentials");
    }
    return server;
}

/* One call; NULL and the fault in `env` where it fails. Takes the parameters. */
static xmlrpc_value *ask(xmlrpc_server_info *server, const char *method, xmlrpc_value *params) {
    xmlrpc_value *result = NULL;
    xmlrpc_env_clean(&env);
    xmlrpc_env_init(&env);
    xmlrpc_client_call2(&env, client, server, method, params, &result);
    xmlrpc_DECREF(params);
    return env.fault_occurred ? NULL : result;
}

static char *document(xmlrpc_value *value) {
    xmlrpc_env own;
    xmlrpc_env_init(&own);
    xmlrpc_mem_block *block = xmlrpc_mem_block_new(&own, 0);
    xmlrpc_serialize_value2(&own, block, value, xmlrpc_dialect_i8);
    size_t size = xmlrpc_mem_block_size(block);
    char *text = malloc(size + 1);
    memcpy(text, xmlrpc_mem_block_contents(block), size);
    text[size] = 0;
    xmlrpc_mem_block_free(block);
    return text;
}

static void failed(const char *way) {
    char code[20];
    snprintf(code, sizeof code, "%d: ", env.fault_code);
    say(way, code, env.fault_string);
}

/* Compared as documents, so with their types. Takes both. */
static void expect(const char *way, xmlrpc_value *got, xmlrpc_value *wanted) {
    if (!got) failed(way);
    else {
        char *one = document(got), *other = document(wanted);
        if (strcmp(one, other)) say(way, "got ", one);
        free(one);
        free(other);
        xmlrpc_DECREF(got);
    }
    xmlrpc_DECREF(wanted);
}

/* The library puts words of its own before the text of a fault. */
static int ends_with(const char *text, const char *end) {
    size_t length = strlen(text), wanted = strlen(end);
    return length >= wanted && !strcmp(text + length - wanted, end);
}

static void both_ways(xmlrpc_server_info *server, const char *name, xmlrpc_value *value) {
    if (building.fault_occurred) {
        say("sent: ", building.fault_string, "");
        value = BUILD("s", "what could not be built");
    } else expect("sent: ", ask(server, "matrix.tell", BUILD("(sV)", name, value)), BUILD("s", ""));
    expect("received: ", ask(server, "matrix.give", BUILD("(s)", name)), value);
    report(name);
}

static void fault(const char *name, int code, const char *text, xmlrpc_server_info *server, const char *method, xmlrpc_value *params) {
    xmlrpc_value *got = ask(server, method, params);
    if (got) say("", "no fault", "");
    else if (env.fault_code != code || (text && !ends_with(env.fault_string, text))) failed("");
    report(name);
}

static void refused(const char *name, const char *status, xmlrpc_server_info *server) {
    xmlrpc_value *got = ask(server, "system.listMethods", BUILD("()"));
    if (got) say("", "no refusal", "");
    else if (!strstr(env.fault_string, status)) failed("");
    report(name);
}

static int wire(xmlrpc_server_info *server, const char *member) {
    xmlrpc_value *found, *got = ask(server, "matrix.wire", BUILD("()"));
    int number = -1;
    fatal("matrix.wire");
    xmlrpc_struct_find_value(&env, got, member, &found);
    xmlrpc_read_int(&env, found, &number);
    xmlrpc_DECREF(found);
    xmlrpc_DECREF(got);
    return number;
}

static void introspection(xmlrpc_server_info *server) {
    xmlrpc_value *names = ask(server, "system.listMethods", BUILD("()"));
    if (!names) failed("");
    else {
        char *text = document(names);
        if (!strstr(text, "<string>matrix.add</string>")) say("", "system.listMethods does not name matrix.add", "");
        free(text);
    }
    expect("", ask(server, "system.methodHelp", BUILD("(s)", "matrix.add")), BUILD("s", "Adds two integers."));
    expect("", ask(server, "system.methodSignature", BUILD("(s)", "matrix.add")), BUILD("((sss)(ss))", "int", "int", "int", "int", "struct"));
    report("introspection");
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    const char *open = arguments[1], *database = arguments[2], *user = arguments[3], *password = arguments[4];
    char *large = malloc(LARGE + 1);
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = i;
    for (int i = 0; i < LARGE; i += 16) memcpy(large + i, "0123456789abcdef", 16);
    large[LARGE] = 0;

    xmlrpc_env_init(&env);
    xmlrpc_env_init(&building);
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, 64 << 20);
    xmlrpc_client_setup_global_const(&env);
    xmlrpc_client_create(&env, XMLRPC_CLIENT_NO_FLAGS, "interop", "1", NULL, 0, &client);
    fatal("client");
    xmlrpc_server_info *server = server_of(open, NULL, NULL);

    both_ways(server, "int", BUILD("i", -2147483647 - 1));
    both_ways(server, "i8", BUILD("I", (xmlrpc_int64)9007199254740993LL));
    both_ways(server, "boolean", BUILD("b", 1));
    both_ways(server, "string", BUILD("s", "a < b && c > d ]]> \"e\" 'f'"));
    both_ways(server, "unicode", BUILD("s", "Grüße, 世界"));
    both_ways(server, "astral", BUILD("s", "🎉"));
    both_ways(server, "lines", xmlrpc_string_new_cr(&building, " one\r\ntwo\rthree\n\tfour "));
    both_ways(server, "double", BUILD("d", -1.5e-7));
    both_ways(server, "date", BUILD("8", "19980717T14:08:55"));
    both_ways(server, "base64", BUILD("6", bytes, (size_t)256));
    both_ways(server, "struct", BUILD("{s:i,s:{s:s}}", "lowerBound", 18, "upper", "text", "x"));
    both_ways(server, "names", BUILD("{s:s,s:s}", "naïve <key> & co", "x", "", "no name"));
    both_ways(server, "array", BUILD("(is(d(b())){s:(i)})", 1, "two", 3.5, 1, "four", 4));
    both_ways(server, "empty", BUILD("(s(){})", ""));
    both_ways(server, "nil", BUILD("(n{s:n})", "nothing"));
    both_ways(server, "large", BUILD("s", large));

    const char *text = "Ünïcode <&> ]]>";
    expect("", ask(server, "matrix.give", BUILD("(s)", "integral")), BUILD("d", 3.0));
    report("integral");
    expect("", ask(server, "matrix.add", BUILD("(ii)", 1, 2)), BUILD("i", 3));
    report("positional");
    expect("", ask(server, "matrix.add", BUILD("({s:i,s:i})", "a", 1, "b", 2)), BUILD("i", 3));
    report("named");
    fault("fault", 17, text, server, "matrix.fail", BUILD("(is)", 17, text));
    fault("unknown-method", -32601, NULL, server, "matrix.nothing", BUILD("()"));
    fault("wrong-arguments", -32602, NULL, server, "matrix.add", BUILD("(s)", "x"));
    expect("",
           ask(server, "system.multicall",
               BUILD("(({s:s,s:(ii)}{s:s,s:(is)}{s:s,s:(ii)}))", "methodName", "matrix.add", "params", 1, 2, "methodName", "matrix.fail", "params", 17,
                     "no", "methodName", "matrix.add", "params", 3, 4)),
           BUILD("((i){s:i,s:s}(i))", 3, "faultCode", 17, "faultString", "no", 7));
    report("multicall");
    introspection(server);
    int first = wire(server, "connections");
    if (wire(server, "connections") != first) say("", "a connection for each call", "");
    report("keep-alive");
    if (!wire(server, "gzipReplies")) say("", "not compressed", "");
    report("gzip");
    refused("no-credentials", "401", server_of(database, NULL, NULL));
    refused("wrong-password", "403", server_of(database, user, "wrong"));

    xmlrpc_server_info *partners = server_of(database, user, password);
    expect("", ask(partners, "res.partner.search", BUILD("(()(((ssb))))", "is_company", "=", 1)), BUILD("(ii)", 1, 3));
    expect("",
           ask(partners, "res.partner.read", BUILD("({s:(ii),s:{s:s}}{s:(s)})", "records", 1, 3, "context", "lang", "de_DE", "fields", "name")),
           BUILD("({s:i,s:s}{s:i,s:s})", "id", 1, "name", "Azure GmbH", "id", 3, "name", "Gemini GmbH"));
    report("subject-form");
    expect("",
           ask(partners, "res.partner.read", BUILD("({s:(i),s:{s:s},s:((s))})", "records", 2, "context", "lang", "en_US", "args", "name")),
           BUILD("({s:i,s:s})", "id", 2, "name", "Ada"));
    report("struct-form");
    return 0;
}
