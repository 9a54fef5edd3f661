/*
 * Writes down what a process does to the files below one directory, in order and with the bytes, so that
 * scripts/powerloss can build every state in which a loss of power could leave them.
 *
 * Preloaded. POWERLOSS_DIR names the directory (absolute), POWERLOSS_LOG the file to write to. Each entry is a
 * header of eight 64-bit words (kind, file, offset, length of the data, four unused) and the data. A file's number is
 * its inode's: it stays over renames. What is mapped into memory (SQLite's index of its log) is left out; it is made
 * anew after a loss of power.
 *
 * A sync has two entries. What was written before the first is safe at the second.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
  CREATE = 1,     /* data: the path */
  WRITE = 2,      /* offset, data */
  TRUNCATE = 3,   /* offset: the new length */
  SYNC_BEGIN = 4, /* of a file or, if offset is 1, of the directory */
  SYNC_END = 5,
  UNLINK = 6, /* data: the path */
  RENAME = 7, /* data: both paths, a NUL between them */
};

#define FDS_MAX 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;
static char dir[PATH_MAX];
/* The inode of each descriptor that is looked at, 0 for others; IS_DIR for the directory itself. */
static uint64_t files[FDS_MAX];
#define IS_DIR UINT64_MAX

/* Only this thread's own calls: the shim's own writes are system calls that nobody intercepts. */
static void fatal(const char *what) {
  dprintf(2, "powerloss shim: %s: %s\n", what, strerror(errno));
  _exit(70);
}

static void put(const void *data, size_t len) {
  const char *at = data;
  while (len > 0) {
    ssize_t count = syscall(SYS_write, log_fd, at, len);
    if (count < 0) {
      if (errno == EINTR) continue;
      fatal("cannot write its log");
    }
    at += count;
    len -= (size_t)count;
  }
}

static void entry(enum kind kind, uint64_t file, uint64_t offset, const void *data, size_t len) {
  uint64_t words[8] = {kind, file, offset, len, 0, 0, 0, 0};
  struct iovec parts[2] = {{words, sizeof words}, {(void *)data, len}};
  /* One call, so that whoever looks at the log's length finds whole entries. */
  ssize_t count = syscall(SYS_writev, log_fd, parts, len > 0 ? 2 : 1);
  if (count < 0) fatal("cannot write its log");
  size_t done = (size_t)count;
  if (done < sizeof words) fatal("a torn entry");
  if (done < sizeof words + len) put((const char *)data + (done - sizeof words), sizeof words + len - done);
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("POWERLOSS_LOG"), *where = getenv("POWERLOSS_DIR");
  if (path == NULL || where == NULL) return;
  if (realpath(where, dir) == NULL) fatal(where);
  log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_fd < 0) fatal(path);
}

/* Whether a path is below the directory, and worth looking at; `full` is then where it is. */
static int is_ours(const char *path, char *full) {
  if (log_fd < 0) return 0;
  if (path[0] == '/') {
    snprintf(full, PATH_MAX, "%s", path);
  } else {
    char here[PATH_MAX / 2];
    if (getcwd(here, sizeof here) == NULL) return 0;
    while (path[0] == '.' && path[1] == '/') path += 2;
    snprintf(full, PATH_MAX, "%s/%s", here, path);
  }
  size_t len = strlen(dir), all = strlen(full);
  if (strncmp(full, dir, len) != 0 || (full[len] != '/' && full[len] != 0)) return 0;
  return all < 4 || strcmp(full + all - 4, "-shm") != 0;
}

static int opened(int fd, const char *full, int flags, int was_there) {
  struct stat state;
  if (fd < 0 || fd >= FDS_MAX || fstat(fd, &state) != 0) return fd;
  if (S_ISDIR(state.st_mode)) {
    files[fd] = strcmp(full, dir) == 0 ? IS_DIR : 0;
    return fd;
  }
  files[fd] = state.st_ino;
  if (!was_there) entry(CREATE, state.st_ino, 0, full, strlen(full));
  if (was_there && (flags & O_TRUNC)) entry(TRUNCATE, state.st_ino, 0, NULL, 0);
  return fd;
}

static int open_any(int at, const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  if ((at != AT_FDCWD && path[0] != '/') || !is_ours(path, full))
    return (int)syscall(SYS_openat, at, path, flags, mode);
  pthread_mutex_lock(&lock);
  int was_there = access(full, F_OK) == 0;
  int fd = (int)syscall(SYS_openat, at, path, flags, mode);
  int error = errno;
  opened(fd, full, flags, was_there);
  pthread_mutex_unlock(&lock);
  errno = error;
  return fd;
}

#define MODE_OF(flags)                   \
  mode_t mode = 0;                       \
  if ((flags) & (O_CREAT | O_TMPFILE)) { \
    va_list list;                        \
    va_start(list, flags);               \
    mode = va_arg(list, mode_t);         \
    va_end(list);                        \
  }

int open(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int at, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) {
  MODE_OF(flags)
  return open_any(at, path, flags | O_LARGEFILE, mode);
}

int close(int fd) {
  if (fd >= 0 && fd < FDS_MAX) files[fd] = 0;
  return (int)syscall(SYS_close, fd);
}

static uint64_t file_of(int fd) { return fd >= 0 && fd < FDS_MAX ? files[fd] : 0; }

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset) {
  uint64_t file = file_of(fd);
  if (file == 0) return syscall(SYS_pwrite64, fd, data, len, offset);
  pthread_mutex_lock(&lock);
  ssize_t count = syscall(SYS_pwrite64, fd, data, len, offset);
  int error = errno;
  if (count > 0) entry(WRITE, file, (uint64_t)offset, data, (size_t)count);
  pthread_mutex_unlock(&lock);
  errno = error;
  return count;
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset) { return pwrite64(fd, data, len, offset); }

ssize_t write(int fd, const void *data, size_t len) {
  uint64_t file = file_of(fd);
  if (file == 0) return syscall(SYS_write, fd, data, len);
  pthread_mutex_lock(&lock);
  /* Behind the call, since a file that is appended to is written at its end. */
  ssize_t count = syscall(SYS_write, fd, data, len);
  int error = errno;
  off_t end = lseek(fd, 0, SEEK_CUR);
  if (count > 0) entry(WRITE, file, (uint64_t)(end - count), data, (size_t)count);
  pthread_mutex_unlock(&lock);
  errno = error;
  return count;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  if (file_of(fd) == 0) return syscall(SYS_writev, fd, parts, count);
  ssize_t sum = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
    if (done < 0) return sum > 0 ? sum : done;
    sum += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return sum;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
  if (file_of(fd) == 0) return syscall(SYS_pwritev, fd, parts, count, (long)offset, 0L);
  ssize_t sum = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = pwrite64(fd, parts[i].iov_base, parts[i].iov_len, offset + sum);
    if (done < 0) return sum > 0 ? sum : done;
    sum += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return sum;
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  return pwritev64(fd, parts, count, offset);
}

int ftruncate64(int fd, off64_t len) {
  uint64_t file = file_of(fd);
  if (file == 0) return (int)syscall(SYS_ftruncate, fd, len);
  pthread_mutex_lock(&lock);
  int code = (int)syscall(SYS_ftruncate, fd, len);
  int error = errno;
  if (code == 0) entry(TRUNCATE, file, (uint64_t)len, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return code;
}
int ftruncate(int fd, off_t len) { return ftruncate64(fd, len); }

/* A longer file without its bytes: to SQLite's log and database it is a truncation upwards. */
int posix_fallocate64(int fd, off64_t offset, off64_t len) {
  struct stat state;
  if (file_of(fd) == 0) return (int)syscall(SYS_fallocate, fd, 0, offset, len) == 0 ? 0 : errno;
  if (fstat(fd, &state) != 0) return errno;
  if (state.st_size >= offset + len) return 0;
  return ftruncate64(fd, offset + len) == 0 ? 0 : errno;
}
int posix_fallocate(int fd, off_t offset, off_t len) { return posix_fallocate64(fd, offset, len); }

static int sync_any(int fd, long call) {
  uint64_t file = file_of(fd);
  if (file == 0) return (int)syscall(call, fd);
  uint64_t is_dir = file == IS_DIR;
  pthread_mutex_lock(&lock);
  entry(SYNC_BEGIN, file, is_dir, NULL, 0);
  pthread_mutex_unlock(&lock);
  int code = (int)syscall(call, fd);
  int error = errno;
  pthread_mutex_lock(&lock);
  if (code == 0) entry(SYNC_END, file, is_dir, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = error;
  return code;
}
int fdatasync(int fd) { return sync_any(fd, SYS_fdatasync); }
int fsync(int fd) { return sync_any(fd, SYS_fsync); }

int unlink(const char *path) {
  char full[PATH_MAX];
  if (!is_ours(path, full)) return (int)syscall(SYS_unlink, path);
  pthread_mutex_lock(&lock);
  int code = (int)syscall(SYS_unlink, path);
  int error = errno;
  if (code == 0) entry(UNLINK, 0, 0, full, strlen(full));
  pthread_mutex_unlock(&lock);
  errno = error;
  return code;
}

int rename(const char *from, const char *to) {
  char both[2 * PATH_MAX], full[PATH_MAX];
  if (!is_ours(to, full)) return (int)syscall(SYS_rename, from, to);
  pthread_mutex_lock(&lock);
  int code = (int)syscall(SYS_rename, from, to);
  int error = errno;
  char first[PATH_MAX];
  if (code == 0 && is_ours(from, first)) {
    size_t len = strlen(first);
    memcpy(both, first, len + 1);
    memcpy(both + len + 1, full, strlen(full));
    entry(RENAME, 0, 0, both, len + 1 + strlen(full));
  }
  pthread_mutex_unlock(&lock);
  errno = error;
  return code;
}
