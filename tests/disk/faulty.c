/*
 * A disk that misbehaves, under a real process: preloaded, it stands before the calls by which a program makes its files
 * durable and reads them, and does with them what the control file says at that moment. The file is named by FAULTY_DISK
 * and is mapped, so that the harness changes its mind while the process runs. The numbers in it, each 32 bits wide:
 *
 *   0  milliseconds that a sync of a file takes longer
 *   1  milliseconds that a sync of a directory takes longer
 *   2  milliseconds that a positional read takes longer
 *   3  not 0: syncs of files begin and do not end until it is 0 again
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { SYNC_FILE, SYNC_DIRECTORY, READ, HANG, WORDS };

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
