/*
 * A disk that misbehaves, under a real process: preloaded, it stands before the calls by which a program makes its files
 * durable, makes them larger and reads them, and does with them what the control file says at that moment. The file is named by FAULTY_DISK
 * and is mapped, so that the harness changes its mind while the process runs. The numbers in it, each 32 bits wide:
 *
 *   0  milliseconds that a sync of a file takes longer
 *   1  milliseconds that a sync of a directory takes longer
 *   2  milliseconds that a positional read takes longer
 *   3  not 0: syncs of files begin and do not end until it is 0 again
 *   4  not 0: one more than the KiB that all files below the directory FAULTY_DISK_DATA may take; what there is stays
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_FILE, SYNC_DIRECTORY, READ, HANG, ROOM, WORDS };

/* Between two looks whether a hanging disk answers again. */
static const uint32_t LOOK_AGAIN_MS = 5;

static volatile const uint32_t *wish(void)
{
    static volatile const uint32_t nothing[WORDS];
    static volatile const uint32_t *mapped;
    if (mapped)
        return mapped;
    const char *path = getenv("FAULTY_DISK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return nothing;
    void *at = mmap(NULL, WORDS * sizeof(uint32_t), PROT_READ, MAP_SHARED, file, 0);
    close(file);
    mapped = at == MAP_FAILED ? nothing : at;
    return mapped;
}

static void wait_ms(uint32_t ms)
{
    struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
    while (ms && nanosleep(&time, &time))
        ;
}

static void before_sync(int file)
{
    struct stat about;
    int directory = fstat(file, &about) == 0 && S_ISDIR(about.st_mode);
    wait_ms(wish()[directory ? SYNC_DIRECTORY : SYNC_FILE]);
    while (!directory && wish()[HANG])
        wait_ms(LOOK_AGAIN_MS);
}

int fsync(int file)
{
    static int (*below)(int);
    if (!below)
        below = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    before_sync(file);
    return below(file);
}

int fdatasync(int file)
{
    static int (*below)(int);
    if (!below)
        below = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    before_sync(file);
    return below(file);
}

static ssize_t read_at(const char *name, int file, void *into, size_t bytes, off_t at)
{
    ssize_t (*below)(int, void *, size_t, off_t) = (ssize_t(*)(int, void *, size_t, off_t))dlsym(RTLD_NEXT, name);
    wait_ms(wish()[READ]);
    return below(file, into, bytes, at);
}

ssize_t pread(int file, void *into, size_t bytes, off_t at)
{
    return read_at("pread", file, into, bytes, at);
}

ssize_t pread64(int file, void *into, size_t bytes, off_t at)
{
    return read_at("pread64", file, into, bytes, at);
}

/* Bytes that the files of the data directory take; counted anew each time, by one thread at a time for itself. */
static __thread int64_t counted;

static int count(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)path;
    (void)place;
    if (kind == FTW_F)
        counted += (int64_t)about->st_blocks * 512;
    return 0;
}

/* Bytes that there is room for; all there are if there is no limit. */
static int64_t room(void)
{
    uint32_t limit = wish()[ROOM];
    const char *data = getenv("FAULTY_DISK_DATA");
    if (!limit || !data)
        return INT64_MAX;
    counted = 0;
    nftw(data, count, 8, FTW_PHYS);
    int64_t left = (int64_t)(limit - 1) * 1024 - counted;
    return left > 0 ? left : 0;
}

/* Whether a file may reach so far: what it holds already it may change. */
static int may_reach(int file, off_t end)
{
    struct stat about;
    char link[64], path[PATH_MAX];
    const char *data = getenv("FAULTY_DISK_DATA");
    if (!wish()[ROOM] || !data || fstat(file, &about) || !S_ISREG(about.st_mode) || end <= about.st_size)
        return 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 1;
    path[length] = 0;
    size_t within = strlen(data);
    return strncmp(path, data, within) || path[within] != '/' || end - about.st_size <= room();
}

static int refused(int file, off_t end)
{
    if (may_reach(file, end))
        return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int file, const void *from, size_t bytes)
{
    static ssize_t (*below)(int, const void *, size_t);
    if (!below)
        below = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (wish()[ROOM] && refused(file, lseek(file, 0, SEEK_CUR) + (off_t)bytes))
        return -1;
    return below(file, from, bytes);
}

static int take(const char *name, int file, int mode, off_t at, off_t bytes)
{
    int (*below)(int, int, off_t, off_t) = (int (*)(int, int, off_t, off_t))dlsym(RTLD_NEXT, name);
    return refused(file, at + bytes) ? -1 : below(file, mode, at, bytes);
}

int fallocate(int file, int mode, off_t at, off_t bytes)
{
    return take("fallocate", file, mode, at, bytes);
}

int fallocate64(int file, int mode, off_t at, off_t bytes)
{
    return take("fallocate64", file, mode, at, bytes);
}

int statvfs(const char *path, struct statvfs *into)
{
    int (*below)(const char *, struct statvfs *) = (int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs");
    int failed = below(path, into);
    int64_t left = failed ? INT64_MAX : room();
    if (left != INT64_MAX)
        into->f_bavail = into->f_bfree = (fsblkcnt_t)left / into->f_frsize;
    return failed;
}

int statvfs64(const char *path, struct statvfs64 *into)
{
    return statvfs(path, (struct statvfs *)into);
}
