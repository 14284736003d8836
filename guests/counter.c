// counter: a service that remembers, in an instance that stays (service.h). For tests, benchmarks and as a beginning.
#include "service.h"

static int visits;

// GET, PUT and DELETE of a key; GET of what ends in a slash lists the keys that begin so.
static void keys(const char *method, const char *key) {
  static char value[SV_VALUE_MAX + 1];
  char each[SV_KEY_MAX + 1] = "";
  const size_t size = strlen(key);
  long result = SV_OK;
  if (strcmp(method, "PUT") == 0) {
    size_t got = 0;
    for (size_t more; (more = sv_read(value + got, sizeof value - got)) > 0;) got += more;
    result = sv_put(key, value, got);
  } else if (strcmp(method, "DELETE") == 0) {
    result = sv_delete(key);
  } else if (size == 0 || key[size - 1] == '/') {
    while ((result = sv_list(key, each)) > 0) sv_printf("%s\n", each);
  } else if ((result = sv_get(key, value, sizeof value)) >= 0) {
    sv_write(value, (size_t)result);
  }
  if (result < 0) {
    sv_status(result == SV_NONE ? 404 : 507);
    sv_printf("%ld\n", result);
  }
}

void sv_handle(void) {
  const char *path = sv_variable("PATH_INFO");
  sv_header("Content-Type", "text/plain");
  if (strcmp(path, "/count") == 0) {
    sv_printf("%d\n", ++visits);
  } else if (strcmp(path, "/kept") == 0) {
    long kept = 0;
    sv_get("kept", &kept, sizeof kept);
    ++kept;
    const int put = sv_put("kept", &kept, sizeof kept);
    if (put != SV_OK) sv_status(500);
    sv_printf("%ld\n", put == SV_OK ? kept : put);
    if (strcmp(sv_variable("QUERY_STRING"), "trap") == 0) __builtin_trap();
  } else if (strncmp(path, "/keys/", 6) == 0) {
    keys(sv_variable("REQUEST_METHOD"), path + 6);
  } else if (strcmp(path, "/echo") == 0) {
    char piece[4096];
    for (size_t got; (got = sv_read(piece, sizeof piece)) > 0;) sv_write(piece, got);
  } else if (strcmp(path, "/env") == 0) {
    sv_printf("%s %s %s\n", sv_variable("SERVER_NAME"), sv_variable("HTTP_X_THING"), sv_variable("GREETING"));
  } else if (strcmp(path, "/say") == 0) {
    fprintf(stderr, "somebody said %s\n", sv_variable("QUERY_STRING"));
    sv_printf("said\n");
  } else if (strcmp(path, "/trap") == 0) {
    __builtin_trap();
  } else if (strcmp(path, "/spin") == 0) {
    for (volatile int i = 0;; ++i) {}
  } else if (strcmp(path, "/exit") == 0) {
    exit(0);
  } else if (strcmp(path, "/file") == 0) {
    FILE *file = fopen("page.html", "rb");
    char piece[4096];
    sv_status(file != NULL ? 200 : 404);
    for (size_t got; file != NULL && (got = fread(piece, 1, sizeof piece, file)) > 0;) sv_write(piece, got);
    if (file != NULL) fclose(file);
  } else if (strcmp(path, "/") == 0) {
    sv_printf("hello from a service\n");
  } else {
    sv_status(404);
    sv_printf("There is nothing at %s\n", path);
  }
}
