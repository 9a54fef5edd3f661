/* A disk that notes each sync in a file, a letter each: f for fsync, d for fdatasync. Preloaded into the server. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
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
