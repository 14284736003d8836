// counter: a service that remembers, in an instance that stays (service.h). For tests, benchmarks and as a beginning.
#include "service.h"

static int visits;

void sv_handle(void) {
  const char *path = sv_variable("PATH_INFO");
  sv_header("Content-Type", "text/plain");
  if (strcmp(path, "/count") == 0) {
    sv_printf("%d\n", ++visits);
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
