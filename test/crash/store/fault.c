/*
 * Preloaded into a process: counts the system calls that change files below FAULT_ROOT, in their order over all threads, and at the chosen
 * one kills the process or fails it. What the kernel did before that call has really happened, and nothing after it.
 *
 * The orders are in the file FAULT_CONTROL, which another process (or this one) writes at any time; see faults.ts for its layout.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { MAKE = 1, WRITE = 2, TRUNCATE = 4, SYNC = 8, RENAME = 16, REMOVE = 32, TIMES = 64, READ = 128, LOOK = 256, STAT = 512, WATCH = 1024 };
enum action { KILL = 1, FAIL = 2, TEAR_AND_KILL = 3, TEAR_AND_FAIL = 4, CURTAIL = 5, HOLD = 6 };

struct control {
  _Atomic uint32_t armed;
  _Atomic uint32_t action;
  int32_t error;
  /* Numbers of calls, from 1: the first and the last one this happens to. */
  uint32_t first, last;
  _Atomic uint32_t count, hits;
  uint32_t calls;
  char match[512];
};

static struct control *control;
static const char *root;
static size_t root_length;
/* Paths of open descriptors below the root. */
static _Atomic(char *) paths[65536];

static void __attribute__((constructor)) begin(void) {
  const char *file = getenv("FAULT_CONTROL");
  root = getenv("FAULT_ROOT");
  if (file == NULL || root == NULL) return;
  root_length = strlen(root);
  int fd = open(file, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page != MAP_FAILED) control = page;
}

static int below(const char *path) {
  return control != NULL && path != NULL && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static const char *path_of(int fd) { return fd >= 0 && fd < 65536 ? atomic_load(&paths[fd]) : NULL; }

static void remember(int fd, const char *path) {
  if (fd < 0 || fd >= 65536) return;
  /* The old text stays allocated: another thread may be reading it. */
  atomic_store(&paths[fd], path == NULL ? NULL : strdup(path));
}

/* A match that ends with "$" is the end of the path. */
static int matches(const char *path, const char *match) {
  size_t length = strlen(match), whole = strlen(path);
  if (length == 0 || match[length - 1] != '$') return strstr(path, match) != NULL;
  return whole + 1 >= length && strncmp(path + whole + 1 - length, match, length - 1) == 0;
}

/* What is to happen to this call: 0 for nothing, FAIL with errno set, TEAR_*. Does not return from a KILL. */
static int fate(enum call call, const char *path) {
  if (!below(path) || !control->armed || (control->calls & call) == 0) return 0;
  if (!matches(path, control->match)) return 0;
  uint32_t n = atomic_fetch_add(&control->count, 1) + 1;
  if (n < control->first || n > control->last) return 0;
  atomic_fetch_add(&control->hits, 1);
  uint32_t action = control->action;
  if (action == HOLD) {
    int error = control->error;
    while (control->armed && control->action == HOLD) usleep(1000);
    errno = error;
    return error == 0 ? 0 : FAIL;
  }
  if (action == CURTAIL) return call == WRITE || call == READ ? CURTAIL : 0;
  if (call != WRITE && action == TEAR_AND_KILL) action = KILL;
  if (call != WRITE && action == TEAR_AND_FAIL) action = FAIL;
  if (action == KILL) {
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  errno = control->error;
  return (int)action;
}

#define REAL(name, type, ...) \
  static type (*real)(__VA_ARGS__); \
  if (real == NULL) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name);

/* A call of one path or descriptor that fails or happens. */
#define PLAIN(name, call, path, parameters, arguments) \
  int name parameters { \
    static int(*real) parameters; \
    if (real == NULL) real = (int(*) parameters)dlsym(RTLD_NEXT, #name); \
    return fate(call, path) == 0 ? real arguments : -1; \
  }

PLAIN(mkdir, MAKE, path, (const char *path, mode_t mode), (path, mode))
PLAIN(rmdir, REMOVE, path, (const char *path), (path))
PLAIN(unlink, REMOVE, path, (const char *path), (path))
PLAIN(unlinkat, REMOVE, path, (int at, const char *path, int flags), (at, path, flags))
PLAIN(remove, REMOVE, path, (const char *path), (path))
PLAIN(link, MAKE, to, (const char *from, const char *to), (from, to))
PLAIN(symlink, MAKE, to, (const char *from, const char *to), (from, to))
PLAIN(rename, RENAME, to, (const char *from, const char *to), (from, to))
PLAIN(truncate64, TRUNCATE, path, (const char *path, off64_t length), (path, length))
PLAIN(ftruncate64, TRUNCATE, path_of(fd), (int fd, off64_t length), (fd, length))
PLAIN(fsync, SYNC, path_of(fd), (int fd), (fd))
PLAIN(fdatasync, SYNC, path_of(fd), (int fd), (fd))
PLAIN(utimensat, TIMES, path, (int at, const char *path, const struct timespec times[2], int flags), (at, path, times, flags))
PLAIN(futimens, TIMES, path_of(fd), (int fd, const struct timespec times[2]), (fd, times))
PLAIN(chmod, TIMES, path, (const char *path, mode_t mode), (path, mode))
PLAIN(fchmod, TIMES, path_of(fd), (int fd, mode_t mode), (fd, mode))

static int opened(int (*real)(int, const char *, int, ...), int at, const char *path, int flags, mode_t mode) {
  int making = (flags & O_CREAT) != 0 && access(path, F_OK) != 0;
  enum call call = making ? MAKE : (flags & O_TRUNC) != 0 ? TRUNCATE : LOOK;
  if (fate(call, path) != 0) return -1;
  int fd = real(at, path, flags, mode);
  if (fd >= 0) remember(fd, below(path) ? path : NULL);
  return fd;
}

#define OPEN(name, at, ...) \
  int name(__VA_ARGS__, int flags, ...) { \
    REAL("openat", int, int, const char *, int, ...) \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0; \
    va_end(rest); \
    return opened(real, at, path, flags, mode); \
  }

OPEN(open, AT_FDCWD, const char *path)
OPEN(open64, AT_FDCWD, const char *path)
OPEN(openat, at, int at, const char *path)
OPEN(openat64, at, int at, const char *path)

int close(int fd) {
  REAL("close", int, int)
  remember(fd, NULL);
  return real(fd);
}

ssize_t write(int fd, const void *octets, size_t length) {
  REAL("write", ssize_t, int, const void *, size_t)
  int what = fate(WRITE, path_of(fd));
  if (what == 0) return real(fd, octets, length);
  if (what == CURTAIL) return real(fd, octets, (length + 1) / 2);
  if (what == FAIL) return -1;
  int error = errno;
  if (length > 1) real(fd, octets, length / 2);
  if (what == TEAR_AND_KILL) kill(getpid(), SIGKILL);
  errno = error;
  return -1;
}

ssize_t pwrite64(int fd, const void *octets, size_t length, off64_t at) {
  REAL("pwrite64", ssize_t, int, const void *, size_t, off64_t)
  int what = fate(WRITE, path_of(fd));
  if (what == 0) return real(fd, octets, length, at);
  if (what == CURTAIL) return real(fd, octets, (length + 1) / 2, at);
  if (what == FAIL) return -1;
  int error = errno;
  if (length > 1) real(fd, octets, length / 2, at);
  if (what == TEAR_AND_KILL) kill(getpid(), SIGKILL);
  errno = error;
  return -1;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  REAL("writev", ssize_t, int, const struct iovec *, int)
  int what = fate(WRITE, path_of(fd));
  if (what == 0) return real(fd, pieces, count);
  if (what == CURTAIL) return real(fd, pieces, (count + 1) / 2);
  int error = errno;
  if (what != FAIL && count > 1) real(fd, pieces, count / 2);
  if (what == TEAR_AND_KILL) kill(getpid(), SIGKILL);
  errno = error;
  return -1;
}

ssize_t read(int fd, void *octets, size_t length) {
  REAL("read", ssize_t, int, void *, size_t)
  int what = fate(READ, path_of(fd));
  return what == FAIL ? -1 : real(fd, octets, what == CURTAIL ? (length + 1) / 2 : length);
}

ssize_t pread64(int fd, void *octets, size_t length, off64_t at) {
  REAL("pread64", ssize_t, int, void *, size_t, off64_t)
  int what = fate(READ, path_of(fd));
  return what == FAIL ? -1 : real(fd, octets, what == CURTAIL ? (length + 1) / 2 : length, at);
}

ssize_t readv(int fd, const struct iovec *pieces, int count) {
  REAL("readv", ssize_t, int, const struct iovec *, int)
  int what = fate(READ, path_of(fd));
  return what == FAIL ? -1 : real(fd, pieces, what == CURTAIL ? (count + 1) / 2 : count);
}

/* libuv's stat(2) of any kind, and its close(2): a descriptor that is then an inotify instance or a socket has no path. */
long syscall(long number, ...) {
  REAL("syscall", long, long, ...)
  long given[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) given[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_statx) {
    const char *path = (const char *)given[1];
    if (fate(STAT, path != NULL && path[0] != 0 ? path : path_of((int)given[0])) != 0) return -1;
  }
  if (number == SYS_close) remember((int)given[0], NULL);
  return real(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}

int scandir64(const char *path, struct dirent64 ***list, int (*filter)(const struct dirent64 *), int (*compare)(const struct dirent64 **, const struct dirent64 **)) {
  REAL("scandir64", int, const char *, struct dirent64 ***, int (*)(const struct dirent64 *), int (*)(const struct dirent64 **, const struct dirent64 **))
  return fate(LOOK, path) == 0 ? real(path, list, filter, compare) : -1;
}

/* What is called by way of dlsym(3) in a library that was opened by name. */

static int renameat_or_not(int from, const char *name, int to, const char *next) {
  REAL("renameat", int, int, const char *, int, const char *)
  const char *directory = path_of(to);
  char path[PATH_MAX];
  if (directory != NULL && snprintf(path, sizeof path, "%s/%s", directory, next) < (int)sizeof path && fate(RENAME, path) != 0) return -1;
  return real(from, name, to, next);
}

static ssize_t copy_file_range_or_not(int from, off64_t *start, int to, off64_t *at, size_t length, unsigned flags) {
  REAL("copy_file_range", ssize_t, int, off64_t *, int, off64_t *, size_t, unsigned)
  int what = fate(READ, path_of(from));
  if (what == FAIL) return -1;
  if (what == 0) what = fate(WRITE, path_of(to));
  if (what == 0) return real(from, start, to, at, length, flags);
  if (what == CURTAIL) return real(from, start, to, at, (length + 1) / 2, flags);
  if (what == FAIL) return -1;
  int error = errno;
  if (length > 1) real(from, start, to, at, length / 2, flags);
  if (what == TEAR_AND_KILL) kill(getpid(), SIGKILL);
  errno = error;
  return -1;
}

static int fallocate_or_not(int fd, int mode, off64_t from, off64_t length) {
  REAL("fallocate", int, int, int, off64_t, off64_t)
  return fate(TRUNCATE, path_of(fd)) == 0 ? real(fd, mode, from, length) : -1;
}

static ssize_t getdents64_or_not(int fd, void *entries, size_t length) {
  REAL("getdents64", ssize_t, int, void *, size_t)
  return fate(READ, path_of(fd)) == FAIL ? -1 : real(fd, entries, length);
}

static int inotify_add_watch_or_not(int fd, const char *path, uint32_t mask) {
  REAL("inotify_add_watch", int, int, const char *, uint32_t)
  return fate(WATCH, path) == 0 ? real(fd, path, mask) : -1;
}

static int openat_or_not(int at, const char *name, int flags) {
  REAL("openat", int, int, const char *, int, ...)
  const char *directory = path_of(at);
  char path[PATH_MAX];
  if (directory == NULL || snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path) return real(at, name, flags);
  if (fate(LOOK, path) != 0) return -1;
  int fd = real(at, name, flags);
  if (fd >= 0) remember(fd, path);
  return fd;
}

typedef void *(*dlsym_t)(void *, const char *);

void *dlsym(void *library, const char *name) {
  static dlsym_t real;
  for (const char *const *version = (const char *const[]){"GLIBC_2.34", "GLIBC_2.2.5", "GLIBC_2.17", NULL}; real == NULL && *version != NULL; version++) real = (dlsym_t)dlvsym(RTLD_NEXT, "dlsym", *version);
  if (library != RTLD_NEXT) {
    if (strcmp(name, "read") == 0) return (void *)read;
    if (strcmp(name, "close") == 0) return (void *)close;
    if (strcmp(name, "openat") == 0) return (void *)openat_or_not;
    if (strcmp(name, "renameat") == 0) return (void *)renameat_or_not;
    if (strcmp(name, "copy_file_range") == 0) return (void *)copy_file_range_or_not;
    if (strcmp(name, "fallocate") == 0) return (void *)fallocate_or_not;
    if (strcmp(name, "getdents64") == 0) return (void *)getdents64_or_not;
    if (strcmp(name, "inotify_add_watch") == 0) return (void *)inotify_add_watch_or_not;
  }
  return real(library, name);
}
