/* Notes what a process does to files under a folder, in the order in which it is done, so that what
 * a disk would hold after a loss of power can be told for any moment. Loaded by LD_PRELOAD.
 *
 * POWER_FOLDER names the folder, POWER_LOG the file to which each operation is appended: a header,
 * the name of the file, and the bytes that were written. tests/drills/power.py reads it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct __attribute__((packed)) header {
    char kind;
    uint16_t name_length;
    uint64_t offset, length;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int log_file = -1;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWER_LOG");
    folder = getenv("POWER_FOLDER");
    if (folder && path)
        log_file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

/* A process is killed rather than run on with a log that lacks something. */
static void note(char kind, const char *name, off_t offset, const void *bytes, size_t length) {
    struct header header = {kind, strlen(name), offset, length};
    struct iovec parts[] = {{&header, sizeof header}, {(void *)name, header.name_length},
                            {(void *)bytes, bytes ? length : 0}};
    ssize_t whole = sizeof header + parts[1].iov_len + parts[2].iov_len;
    if (writev(log_file, parts, 3) != whole)
        abort();
}

static int is_watched(const char *path) {
    return log_file >= 0 && path[0] == '/' && !strncmp(path, folder, strlen(folder)) && !strstr(path, "-shm");
}

/* Writes the name of an open file to `name` and returns whether it is watched. */
static int is_watched_file(int file, char *name, size_t room) {
    char link[40];
    ssize_t length;
    if (log_file < 0 || file < 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, name, room - 1);
    if (length < 0)
        return 0;
    name[length] = 0;
    return is_watched(name);
}

#define REAL(result, symbol, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, symbol)

/* Nothing else is done to these files meanwhile, so that the log has the order of the disk. */
#define HELD(result, kind, file, offset, bytes, length, call) do { \
    char name[4096]; \
    if (!is_watched_file(file, name, sizeof name)) return call; \
    pthread_mutex_lock(&lock); \
    result done = call; \
    if (done >= 0) note(kind, name, offset, bytes, length); \
    pthread_mutex_unlock(&lock); \
    return done; \
} while (0)

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    HELD(ssize_t, 'w', file, offset, bytes, (size_t)done, real(file, bytes, size, offset));
}

ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    HELD(ssize_t, 'w', file, offset, bytes, (size_t)done, real(file, bytes, size, offset));
}

ssize_t write(int file, const void *bytes, size_t size) {
    REAL(ssize_t, "write", int, const void *, size_t);
    HELD(ssize_t, 'w', file, lseek(file, 0, SEEK_CUR) - done, bytes, (size_t)done, real(file, bytes, size));
}

int ftruncate(int file, off_t size) {
    REAL(int, "ftruncate", int, off_t);
    HELD(int, 't', file, size, NULL, 0, real(file, size));
}

int ftruncate64(int file, off64_t size) {
    REAL(int, "ftruncate64", int, off64_t);
    HELD(int, 't', file, size, NULL, 0, real(file, size));
}

int fsync(int file) {
    REAL(int, "fsync", int);
    HELD(int, 's', file, 0, NULL, 0, real(file));
}

int fdatasync(int file) {
    REAL(int, "fdatasync", int);
    HELD(int, 's', file, 0, NULL, 0, real(file));
}

int unlink(const char *path) {
    REAL(int, "unlink", const char *);
    int done;
    if (!is_watched(path))
        return real(path);
    pthread_mutex_lock(&lock);
    if ((done = real(path)) == 0)
        note('u', path, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return done;
}

/* Only a file that was not there is noted. */
#define OPENED(symbol) \
    mode_t mode = 0; \
    struct stat found; \
    int done, is_new; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    } \
    REAL(int, symbol, const char *, int, ...); \
    if (!(flags & O_CREAT) || !is_watched(path)) \
        return real(path, flags, mode); \
    pthread_mutex_lock(&lock); \
    is_new = stat(path, &found) != 0; \
    done = real(path, flags, mode); \
    if (done >= 0 && (is_new || (flags & O_TRUNC))) \
        note(is_new ? 'c' : 't', path, 0, NULL, 0); \
    pthread_mutex_unlock(&lock); \
    return done

int open(const char *path, int flags, ...) { OPENED("open"); }

int open64(const char *path, int flags, ...) { OPENED("open64"); }
