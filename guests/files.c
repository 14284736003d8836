// files COMMAND...: what a program can do with files, one step a command.
//   list DIR | read FILE | write FILE TEXT | append FILE TEXT | mkdir DIR | rmdir DIR | remove FILE | rename OLD NEW | size FILE |
//   truncate FILE BYTES | fill FILE BYTES | many DIR COUNT | link OLD NEW | sleep SECONDS | env NAME
// Each prints a line: what it found, or the name of the error. Nothing else happens.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char* name_of(int error) {
  switch (error) {
    case ENOENT: return "ENOENT";
    case EROFS: return "EROFS";
    case ENOSPC: return "ENOSPC";
    case ENOTCAPABLE: return "ENOTCAPABLE";
    case ENOSYS: return "ENOSYS";
    case EEXIST: return "EEXIST";
    case ENOTDIR: return "ENOTDIR";
    case EISDIR: return "EISDIR";
    case ENOTEMPTY: return "ENOTEMPTY";
    case ENAMETOOLONG: return "ENAMETOOLONG";
    case EINVAL: return "EINVAL";
    case EILSEQ: return "EILSEQ";
    case EMFILE: return "EMFILE";
    case EPERM: return "EPERM";
  }
  return strerror(error);
}

static int say(const char* what, int failed) {
  printf("%s: %s\n", what, failed ? name_of(errno) : "ok");
  return failed;
}

static int list(const char* path) {
  DIR* dir = opendir(path);
  if (dir == NULL) return say(path, 1);
  printf("%s:", path);
  for (struct dirent* entry; (entry = readdir(dir)) != NULL;) {
    printf(" %s%s", entry->d_name, entry->d_type == DT_DIR ? "/" : "");
  }
  printf("\n");
  closedir(dir);
  return 0;
}

static int read_file(const char* path) {
  FILE* file = fopen(path, "rb");
  if (file == NULL) return say(path, 1);
  char block[256];
  const size_t n = fread(block, 1, sizeof block, file);
  printf("%s: %.*s\n", path, (int)n, block);
  fclose(file);
  return 0;
}

static int write_file(const char* path, const char* text, const char* mode) {
  FILE* file = fopen(path, mode);
  if (file == NULL) return say(path, 1);
  const size_t n = fwrite(text, 1, strlen(text), file);
  return say(path, fclose(file) != 0 || n != strlen(text));
}

static int fill(const char* path, size_t bytes) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  static char block[65536];
  memset(block, 'x', sizeof block);
  if (fd < 0) return say(path, 1);
  size_t done = 0;
  while (done < bytes) {
    const ssize_t n = write(fd, block, bytes - done < sizeof block ? bytes - done : sizeof block);
    if (n < 0) break;
    done += (size_t)n;
  }
  if (done < bytes) printf("%s: %s after %zu\n", path, name_of(errno), done);
  else printf("%s: %zu\n", path, done);
  return close(fd);
}

static int many(const char* dir, int count) {
  int made = 0;
  for (; made < count; ++made) {
    char path[64];
    snprintf(path, sizeof path, "%s/%d", dir, made);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0) break;
    close(fd);
  }
  printf("%s: %d files%s%s\n", dir, made, made < count ? ", then " : "", made < count ? name_of(errno) : "");
  return 0;
}

static int size(const char* path) {
  struct stat info;
  if (stat(path, &info) != 0) return say(path, 1);
  printf("%s: %s %lld bytes inode %llu time %lld\n", path, S_ISDIR(info.st_mode) ? "folder" : "file", (long long)info.st_size,
         (unsigned long long)info.st_ino, (long long)info.st_mtim.tv_sec);
  return 0;
}

static int pause_for(const char* seconds) {
  struct timespec before, after, time = {atoi(seconds), 0};
  clock_gettime(CLOCK_MONOTONIC, &before);
  const int failed = nanosleep(&time, NULL);
  clock_gettime(CLOCK_MONOTONIC, &after);
  printf("slept %s, %lld passed\n", failed ? name_of(errno) : seconds, (long long)(after.tv_sec - before.tv_sec));
  return failed;
}

int main(int argc, char** argv) {
  for (int i = 1; i < argc;) {
    const char* what = argv[i++];
    const char* a = i < argc ? argv[i++] : "";
    const int two = strcmp(what, "write") == 0 || strcmp(what, "append") == 0 || strcmp(what, "rename") == 0 || strcmp(what, "link") == 0 ||
                    strcmp(what, "truncate") == 0 || strcmp(what, "fill") == 0 || strcmp(what, "many") == 0;
    const char* b = two && i < argc ? argv[i++] : "";
    if (strcmp(what, "list") == 0) list(a);
    else if (strcmp(what, "read") == 0) read_file(a);
    else if (strcmp(what, "write") == 0) write_file(a, b, "wb");
    else if (strcmp(what, "append") == 0) write_file(a, b, "ab");
    else if (strcmp(what, "mkdir") == 0) say(a, mkdir(a, 0755));
    else if (strcmp(what, "rmdir") == 0) say(a, rmdir(a));
    else if (strcmp(what, "remove") == 0) say(a, unlink(a));
    else if (strcmp(what, "rename") == 0) say(a, rename(a, b));
    else if (strcmp(what, "link") == 0) say(a, symlink(a, b));
    else if (strcmp(what, "truncate") == 0) say(a, truncate(a, atoll(b)));
    else if (strcmp(what, "fill") == 0) fill(a, (size_t)atoll(b));
    else if (strcmp(what, "many") == 0) many(a, atoi(b));
    else if (strcmp(what, "size") == 0) size(a);
    else if (strcmp(what, "sleep") == 0) pause_for(a);
    else if (strcmp(what, "env") == 0) printf("%s=%s\n", a, getenv(a) != NULL ? getenv(a) : "");
    else return 2;
  }
  return 0;
}
