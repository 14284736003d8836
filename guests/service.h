/* A service whose instance stays: what was in memory after one request is there at the next.
 *
 *   #include "service.h"
 *   static int visits;
 *   void sv_handle(void) {
 *     sv_header("Content-Type", "text/plain");
 *     sv_printf("visit %d to %s\n", ++visits, sv_variable("PATH_INFO"));
 *   }
 *
 * Compile for wasm32-wasi and link as a reactor (guests/CMakeLists.txt, selvedge_service):
 *
 *   clang-16 --target=wasm32-wasi -O2 -mexec-model=reactor shop.c -o shop.wasm
 *   selvedge deploy shop shop.wasm --for public
 *
 * Constructors run once; then each request calls sv_handle(), which reads its variables (as in CGI, RFC 3875: REQUEST_METHOD, PATH_INFO, QUERY_STRING, HTTP_*,
 * and what --env gave) and its body, and says its response. Requests come one after the other. An instance begins anew when a request of it trapped, used up its
 * fuel or time, or was cancelled, when the machine has not been asked for a while, when its process is needed otherwise, and with each new version: memory is a
 * cache, not a store. What must not be lost goes to sv_put. Files are open for one request only. C or C++; in one file of the program. */
#ifndef SELVEDGE_SERVICE_H
#define SELVEDGE_SERVICE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Yours. */
void sv_handle(void);

struct sv_state {
  char *variables;         /* "NAME=value\0..." of this request */
  char **pointers;
  size_t count, variables_room, count_room;
  char *head, *body;       /* of the response */
  size_t head_size, head_room, body_size, body_room;
  int status;
};
static struct sv_state sv;

static inline void *sv_room(void *memory, size_t *room, size_t wanted) {
  if (wanted <= *room) return memory;
  while (*room < wanted) *room = *room ? *room * 2 : 1024;
  memory = realloc(memory, *room);
  if (memory == NULL) __builtin_trap();
  return memory;
}

/* A variable of this request; "" when there is none. */
static inline const char *sv_variable(const char *name) {
  const size_t size = strlen(name);
  for (size_t i = 0; i < sv.count; ++i) {
    if (strncmp(sv.pointers[i], name, size) == 0 && sv.pointers[i][size] == '=') return sv.pointers[i] + size + 1;
  }
  return "";
}

/* ---- State: what the service keeps, on whatever machine it runs, from one version to the next. Deployed with --state, else each of these is SV_NO_STATE.
 *
 *   long visits = 0;
 *   sv_get("visits", &visits, sizeof visits);
 *   ++visits;
 *   sv_put("visits", &visits, sizeof visits);
 *
 * A request sees what those before it left, and its own changes. They come true together when it has answered, and before the client hears of it; a request that
 * traps or uses up its fuel changes nothing. One machine at a time runs a service with state, and requests run one after the other: nobody writes in between. */
#define SV_KEY_MAX 256               /* bytes of a key; not empty */
#define SV_VALUE_MAX (64 << 10)      /* and of a value; 8 MiB and 8192 keys in all, and 1 MiB and 1024 keys changed by one request */
enum {
  SV_OK = 0,
  SV_NONE = -1,                      /* there is no such key */
  SV_TOO_LARGE = -2,                 /* a key or a value */
  SV_FULL = -3,                      /* as much as a service may have, or one request may change */
  SV_BAD_KEY = -4,                   /* empty */
  SV_NO_STATE = -5                   /* deployed without --state */
};

__attribute__((import_module("selvedge_state"), import_name("get"))) int sv_state_get(const char *key, size_t key_size, void *to, size_t room, size_t *size);
__attribute__((import_module("selvedge_state"), import_name("put"))) int sv_state_put(const char *key, size_t key_size, const void *value, size_t size);
__attribute__((import_module("selvedge_state"), import_name("delete"))) int sv_state_delete(const char *key, size_t key_size);
__attribute__((import_module("selvedge_state"), import_name("next"))) int sv_state_next(const char *prefix, size_t prefix_size, const char *after,
                                                                                                    size_t after_size, char *to, size_t room, size_t *size);

static inline int sv_state_result(int error) {
  switch (error) {
    case 0: return SV_OK;
    case __WASI_ERRNO_NOENT: return SV_NONE;
    case __WASI_ERRNO_NAMETOOLONG: case __WASI_ERRNO_FBIG: return SV_TOO_LARGE;
    case __WASI_ERRNO_NOSPC: return SV_FULL;
    case __WASI_ERRNO_NOSYS: return SV_NO_STATE;
    default: return SV_BAD_KEY;
  }
}

/* The value's size, of which up to `room` bytes are put to `to`; or what is wrong, below 0. */
static inline long sv_get(const char *key, void *to, size_t room) {
  size_t size = 0;
  const int error = sv_state_get(key, strlen(key), to, room, &size);
  return error == 0 ? (long)size : sv_state_result(error);
}

static inline int sv_put(const char *key, const void *value, size_t size) { return sv_state_result(sv_state_put(key, strlen(key), value, size)); }

static inline int sv_delete(const char *key) { return sv_state_result(sv_state_delete(key, strlen(key))); }

/* The keys that begin with `prefix`, in the order of their bytes, one a call: 1 while there is another, then 0.
 *
 *   char key[SV_KEY_MAX + 1] = "";
 *   while (sv_list("user/", key) > 0) sv_printf("%s\n", key); */
static inline int sv_list(const char *prefix, char key[SV_KEY_MAX + 1]) {
  size_t size = 0;
  const int error = sv_state_next(prefix, strlen(prefix), key, strlen(key), key, SV_KEY_MAX, &size);
  if (error == __WASI_ERRNO_NOENT) return 0;
  if (error != 0) return sv_state_result(error);
  key[size] = 0;
  return 1;
}

/* ---- The request and its response. */

/* More of the request's body: how much was read, 0 at its end. */
static inline size_t sv_read(void *to, size_t room) {
  __wasi_iovec_t piece = {(uint8_t *)to, room};
  __wasi_size_t got = 0;
  return __wasi_fd_read(0, &piece, 1, &got) == 0 ? got : 0;
}

/* 200 unless it is said. */
static inline void sv_status(int status) { sv.status = status; }

static inline void sv_header(const char *name, const char *value) {
  const size_t size = strlen(name) + strlen(value) + 3;
  sv.head = (char *)sv_room(sv.head, &sv.head_room, sv.head_size + size + 1);
  sv.head_size += (size_t)snprintf(sv.head + sv.head_size, size + 1, "%s: %s\n", name, value);
}

static inline void sv_write(const void *bytes, size_t size) {
  sv.body = (char *)sv_room(sv.body, &sv.body_room, sv.body_size + size);
  memcpy(sv.body + sv.body_size, bytes, size);
  sv.body_size += size;
}

__attribute__((format(printf, 1, 2))) static inline void sv_printf(const char *format, ...) {
  va_list words;
  va_start(words, format);
  const int size = vsnprintf(NULL, 0, format, words);
  va_end(words);
  if (size < 0) return;
  sv.body = (char *)sv_room(sv.body, &sv.body_room, sv.body_size + (size_t)size + 1);
  va_start(words, format);
  vsnprintf(sv.body + sv.body_size, (size_t)size + 1, format, words);
  va_end(words);
  sv.body_size += (size_t)size;
}

/* The C library reads its environment once; each request has another. */
static inline void sv_begin(void) {
  __wasi_size_t count = 0, size = 0;
  sv.count = sv.head_size = sv.body_size = 0;
  sv.status = 200;
  if (__wasi_environ_sizes_get(&count, &size) != 0) return;
  sv.variables = (char *)sv_room(sv.variables, &sv.variables_room, size + 1);
  sv.pointers = (char **)sv_room(sv.pointers, &sv.count_room, (count + 1) * sizeof(char *));
  if (__wasi_environ_get((uint8_t **)sv.pointers, (uint8_t *)sv.variables) == 0) sv.count = count;
}

__attribute__((export_name("selvedge_serve"))) void sv_serve(void) {
  char status[40];
  sv_begin();
  sv_handle();
  const int size = snprintf(status, sizeof status, "Status: %d\n", sv.status);
  sv.head = (char *)sv_room(sv.head, &sv.head_room, sv.head_size + 1);
  sv.head[sv.head_size++] = '\n';
  const __wasi_ciovec_t pieces[3] = {{(const uint8_t *)status, (size_t)size}, {(const uint8_t *)sv.head, sv.head_size}, {(const uint8_t *)sv.body, sv.body_size}};
  __wasi_size_t written = 0;
  (void)__wasi_fd_write(1, pieces, 3, &written);
}

#ifdef __cplusplus
}
#endif

#endif
