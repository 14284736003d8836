// chat: what is said in one room, in the memory of an instance that stays (service.h). For the example `chat`.
//
//   GET  /               its page, and beside it what else lies in the files it was deployed with, each gzipped
//   GET  /about          the service's key
//   GET  /said?after=N   what was said since number N, and who began it all: a new beginning is a new room
//   POST /say            a name, a line end, and what is said
#include "service.h"

enum { KEPT = 200, NAME_MAX = 40, TEXT_MAX = 1000 };

static struct said {
  unsigned long number;
  unsigned long long at_ms;
  char name[NAME_MAX + 1];
  char text[TEXT_MAX + 1];
} kept[KEPT];
static unsigned long last;
static char began[24];

static void quoted(const char *text) {
  sv_write("\"", 1);
  for (const unsigned char *c = (const unsigned char *)text; *c; ++c) {
    if (*c == '"' || *c == '\\') sv_printf("\\%c", *c);
    else if (*c < 32) sv_printf("\\u%04x", *c);
    else sv_write(c, 1);
  }
  sv_write("\"", 1);
}

static void answer_said(void) {
  const char *query = sv_variable("QUERY_STRING");
  const unsigned long after = strncmp(query, "after=", 6) == 0 ? strtoul(query + 6, NULL, 10) : 0;
  sv_header("Content-Type", "application/json");
  sv_printf("{\"began\":\"%s\",\"said\":[", began);
  const char *comma = "";
  for (unsigned long n = last >= KEPT ? last - KEPT + 1 : 1; n <= last; ++n) {
    const struct said *each = &kept[n % KEPT];
    if (n <= after) continue;
    sv_printf("%s{\"number\":%lu,\"at\":%llu,\"name\":", comma, each->number, each->at_ms);
    quoted(each->name);
    sv_printf(",\"text\":");
    quoted(each->text);
    sv_write("}", 1);
    comma = ",";
  }
  sv_printf("]}\n");
}

/* Where a text of at most `most` bytes may be cut without cutting a letter of UTF-8. */
static size_t cut(const char *text, size_t size, size_t most) {
  if (size <= most) return size;
  while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80) --most;
  return most;
}

static void take_said(void) {
  static char body[NAME_MAX + TEXT_MAX + 4096];
  size_t size = 0;
  for (size_t got; size < sizeof body && (got = sv_read(body + size, sizeof body - size)) > 0;) size += got;
  const char *end = memchr(body, '\n', size);
  if (end == NULL || end == body || end + 1 == body + size || memchr(body, 0, size) != NULL) {
    sv_status(400);
    sv_printf("a name, a line end, and what is said\n");
    return;
  }
  struct said *next = &kept[++last % KEPT];
  const size_t name = cut(body, (size_t)(end - body), NAME_MAX), text = cut(end + 1, (size_t)(body + size - end - 1), TEXT_MAX);
  memcpy(next->name, body, name);
  memcpy(next->text, end + 1, text);
  next->name[name] = next->text[text] = 0;
  next->number = last;
  next->at_ms = strtoull(sv_variable("REQUEST_TIME_MS"), NULL, 10);
  sv_status(204);
}

static void answer_file(const char *path) {
  const char *name = strcmp(path, "/") == 0 ? "index.html" : path + 1;
  const char *ending = strrchr(name, '.');
  FILE *file = strchr(name, '/') == NULL ? fopen(name, "rb") : NULL;
  if (file == NULL) {
    sv_status(404);
    sv_printf("There is nothing here\n");
    return;
  }
  sv_header("Content-Type", ending != NULL && strcmp(ending, ".js") == 0 ? "text/javascript; charset=utf-8" : ending != NULL && strcmp(ending, ".css") == 0 ? "text/css; charset=utf-8" : "text/html; charset=utf-8");
  sv_header("Content-Encoding", "gzip");
  sv_header("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  char piece[4096];
  for (size_t got; (got = fread(piece, 1, sizeof piece, file)) > 0;) sv_write(piece, got);
  fclose(file);
}

void sv_handle(void) {
  const char *path = sv_variable("PATH_INFO");
  const int post = strcmp(sv_variable("REQUEST_METHOD"), "POST") == 0;
  if (began[0] == 0) snprintf(began, sizeof began, "%s", sv_variable("REQUEST_TIME_MS"));
  sv_header("Cache-Control", "no-store");
  sv_header("X-Content-Type-Options", "nosniff");
  if (post && strcmp(path, "/say") == 0) {
    // A page of another site may send a text, but not in this type, without this service's leave.
    if (strcmp(sv_variable("CONTENT_TYPE"), "application/x-selvedge-chat") == 0) take_said();
    else sv_status(415);
  } else if (!post && strcmp(path, "/said") == 0) {
    answer_said();
  } else if (!post && strcmp(path, "/about") == 0) {
    sv_header("Content-Type", "text/plain");
    sv_printf("%s\n", sv_variable("SERVER_NAME"));
  } else {
    answer_file(path);
  }
}
