/* The methods of the cases on xmlrpc-c's Abyss server. Prints its URL and serves until its input ends.
   cc server.c -lxmlrpc_server_abyss -lxmlrpc_server -lxmlrpc_abyss -lxmlrpc -lxmlrpc_util -lpthread */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xmlrpc-c/base.h>
#include <xmlrpc-c/server.h>
#include <xmlrpc-c/server_abyss.h>

#define LARGE 10485760
static char *large;

static xmlrpc_value *value_of(xmlrpc_env *env, const char *name) {
    unsigned char bytes[256];
    for (int i = 0; i < 256; i++) bytes[i] = i;
    if (!strcmp(name, "int")) return xmlrpc_build_value(env, "i", -2147483647 - 1);
    if (!strcmp(name, "i8")) return xmlrpc_build_value(env, "I", (xmlrpc_int64)9007199254740993LL);
    if (!strcmp(name, "boolean")) return xmlrpc_build_value(env, "b", 1);
    if (!strcmp(name, "string")) return xmlrpc_build_value(env, "s", "a < b && c > d ]]> \"e\" 'f'");
    if (!strcmp(name, "unicode")) return xmlrpc_build_value(env, "s", "Grüße, 世界");
    if (!strcmp(name, "astral")) return xmlrpc_build_value(env, "s", "🎉");
    if (!strcmp(name, "lines")) return xmlrpc_string_new_cr(env, " one\r\ntwo\rthree\n\tfour ");
    if (!strcmp(name, "double")) return xmlrpc_build_value(env, "d", -1.5e-7);
    if (!strcmp(name, "integral")) return xmlrpc_build_value(env, "d", 3.0);
    if (!strcmp(name, "date")) return xmlrpc_build_value(env, "8", "19980717T14:08:55");
    if (!strcmp(name, "base64")) return xmlrpc_build_value(env, "6", bytes, (size_t)256);
    if (!strcmp(name, "struct")) return xmlrpc_build_value(env, "{s:i,s:{s:s}}", "lowerBound", 18, "upper", "text", "x");
    if (!strcmp(name, "names")) return xmlrpc_build_value(env, "{s:s,s:s}", "naïve <key> & co", "x", "", "no name");
    if (!strcmp(name, "array")) return xmlrpc_build_value(env, "(is(d(b())){s:(i)})", 1, "two", 3.5, 1, "four", 4);
    if (!strcmp(name, "empty")) return xmlrpc_build_value(env, "(s(){})", "");
    if (!strcmp(name, "nil")) return xmlrpc_build_value(env, "(n{s:n})", "nothing");
    if (!strcmp(name, "large")) return xmlrpc_build_value(env, "s", large);
    xmlrpc_env_set_fault(env, 1, "no such value");
    return NULL;
}

static xmlrpc_mem_block *document(xmlrpc_env *env, xmlrpc_value *value) {
    xmlrpc_mem_block *block = xmlrpc_mem_block_new(env, 0);
    xmlrpc_serialize_value2(env, block, value, xmlrpc_dialect_i8);
    return block;
}

static xmlrpc_value *tell(xmlrpc_env *env, xmlrpc_value *params, void *info, void *call) {
    const char *name;
    xmlrpc_value *value;
    (void)info, (void)call;
    xmlrpc_decompose_value(env, params, "(sV)", &name, &value);
    if (env->fault_occurred) return NULL;
    xmlrpc_value *wanted = value_of(env, name);
    if (env->fault_occurred) return NULL;
    xmlrpc_mem_block *one = document(env, value), *other = document(env, wanted);
    size_t size = xmlrpc_mem_block_size(one);
    int same = size == xmlrpc_mem_block_size(other) && !memcmp(xmlrpc_mem_block_contents(one), xmlrpc_mem_block_contents(other), size);
    char said[201] = "";
    if (!same) snprintf(said, sizeof said, "got %.*s", (int)size, (const char *)xmlrpc_mem_block_contents(one));
    return xmlrpc_build_value(env, "s", said);
}

static xmlrpc_value *give(xmlrpc_env *env, xmlrpc_value *params, void *info, void *call) {
    const char *name;
    (void)info, (void)call;
    xmlrpc_decompose_value(env, params, "(s)", &name);
    return env->fault_occurred ? NULL : value_of(env, name);
}

static xmlrpc_value *add(xmlrpc_env *env, xmlrpc_value *params, void *info, void *call) {
    int a, b;
    (void)info, (void)call;
    xmlrpc_decompose_value(env, params, "(ii)", &a, &b);
    return env->fault_occurred ? NULL : xmlrpc_build_value(env, "i", a + b);
}

static xmlrpc_value *fail(xmlrpc_env *env, xmlrpc_value *params, void *info, void *call) {
    int code;
    const char *text;
    (void)info, (void)call;
    xmlrpc_decompose_value(env, params, "(is)", &code, &text);
    if (!env->fault_occurred) xmlrpc_env_set_fault(env, code, text);
    return NULL;
}

static void *until_input_ends(void *nothing) {
    char byte;
    while (read(0, &byte, 1) > 0) continue;
    exit(0);
    return nothing;
}

int main(void) {
    xmlrpc_env env;
    struct xmlrpc_method_info3 methods[] = {
        {"matrix.tell", tell, NULL, 0, "s:si,s:sI,s:sb,s:ss,s:sd,s:s8,s:s6,s:sS,s:sA", "Compares a value."},
        {"matrix.give", give, NULL, 0, "?", "Gives a value."},
        {"matrix.add", add, NULL, 0, "i:ii", "Adds two integers."},
        {"matrix.fail", fail, NULL, 0, "i:is", "Fails."},
    };
    large = malloc(LARGE + 1);
    for (int i = 0; i < LARGE; i += 16) memcpy(large + i, "0123456789abcdef", 16);
    large[LARGE] = 0;
    xmlrpc_env_init(&env);
    xmlrpc_limit_set(XMLRPC_XML_SIZE_LIMIT_ID, 64 << 20);
    xmlrpc_registry *registry = xmlrpc_registry_new(&env);
    xmlrpc_registry_set_dialect(&env, registry, xmlrpc_dialect_i8);
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) xmlrpc_registry_add_method3(&env, registry, methods + i);

    int listening = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listening, (struct sockaddr *)&address, sizeof address) || getsockname(listening, (struct sockaddr *)&address, &size)) return 1;
    /* Whoever reads the URL may connect at once. */
    if (listen(listening, 16)) return 1;
    printf("http://127.0.0.1:%d/RPC2\n", ntohs(address.sin_port));
    fflush(stdout);
    pthread_t watcher;
    pthread_create(&watcher, NULL, until_input_ends, NULL);
    xmlrpc_server_abyss_parms parms = {
        .config_file_name = NULL,
        .registryP = registry,
        .socket_bound = 1,
        .socket_handle = listening,
        .keepalive_timeout = 30,
        .keepalive_max_conn = 1000,
        .uri_path = "/RPC2",
    };
    xmlrpc_server_abyss(&env, &parms, XMLRPC_APSIZE(uri_path));
    fprintf(stderr, "%s\n", env.fault_string);
    return 1;
}
