/* A disk that notes each sync in a file, a letter each: f for fsync, d for fdatasync; and that is full as long as
   there is the file that DISK_FULL names. Preloaded into the server. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(const char *letter)
{
	const char *path = getenv("SYNC_NOTES");
	int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
	if (file >= 0) {
		if (write(file, letter, 1) != 1)
			abort();
		close(file);
	}
}

int fsync(int file)
{
	static int (*real)(int);
	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
	note("f");
	return real(file);
}

int fdatasync(int file)
{
	static int (*real)(int);
	if (!real)
		real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
	note("d");
	return real(file);
}

static int is_full(int file)
{
	const char *path = getenv("DISK_FULL");
	struct stat of;
	return path && access(path, F_OK) == 0 && fstat(file, &of) == 0 && S_ISREG(of.st_mode);
}

#define WRITES(name, parameters, arguments)                                                                        \
	ssize_t name parameters                                                                                    \
	{                                                                                                          \
		static ssize_t(*real) parameters;                                                                  \
		if (!real)                                                                                         \
			real = (ssize_t(*) parameters)dlsym(RTLD_NEXT, #name);                                     \
		if (is_full(file)) {                                                                               \
			errno = ENOSPC;                                                                            \
			return -1;                                                                                 \
		}                                                                                                  \
		return real arguments;                                                                             \
	}

WRITES(write, (int file, const void *bytes, size_t len), (file, bytes, len))
WRITES(pwrite, (int file, const void *bytes, size_t len, off_t at), (file, bytes, len, at))
WRITES(pwrite64, (int file, const void *bytes, size_t len, off64_t at), (file, bytes, len, at))
