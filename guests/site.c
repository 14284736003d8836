// site: a service for tests and benchmarks, as any program for the command line is one: the request in the environment and on standard input, the response
// on standard output (docs/spec/hosting.md).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *var(const char *name) {
  const char *value = getenv(name);
  return value != NULL ? value : "";
}

static void plain(const char *status) { printf("Status: %s\nContent-Type: text/plain\n\n", status); }

int main(int argc, char **argv) {
  const char *path = var("PATH_INFO");
  if (strcmp(path, "/") == 0) {
    plain("200 OK");
    printf("hello from %s\n", argc > 1 ? argv[1] : "a service");
  } else if (strcmp(path, "/echo") == 0) {
    static char piece[65536];
    printf("Content-Type: %s\nX-Method: %s\nX-Query: %s\n\n", var("CONTENT_TYPE"), var("REQUEST_METHOD"), var("QUERY_STRING"));
    for (size_t got; (got = fread(piece, 1, sizeof piece, stdin)) > 0;) fwrite(piece, 1, got, stdout);
  } else if (strcmp(path, "/env") == 0) {
    plain("200 OK");
    printf("%s %s %s\n", var("SERVER_NAME"), var("HTTP_X_THING"), var("GREETING"));
  } else if (strcmp(path, "/file") == 0) {
    FILE *file = fopen("page.html", "rb");
    if (file == NULL) {
      plain("404 Not Found");
      return 0;
    }
    printf("Content-Type: text/html\n\n");
    for (int c; (c = fgetc(file)) != EOF;) putchar(c);
  } else if (strcmp(path, "/count") == 0) {
    static int calls;
    plain("200 OK");
    printf("%d\n", ++calls);
  } else if (strcmp(path, "/spin") == 0) {
    for (volatile int i = 0;; ++i) {}
  } else if (strcmp(path, "/trap") == 0) {
    __builtin_trap();
  } else if (strcmp(path, "/nonsense") == 0) {
    printf("this is no response\n");
  } else {
    plain("404 Not Found");
    printf("There is nothing at %s\n", path);
  }
  return 0;
}
