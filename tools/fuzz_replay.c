/*
 * Feeds every file of a corpus to a fuzz target, for machines and builds
 * without libFuzzer: what was once found stays found.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = malloc(1 << 20);
	size_t size;

	if (!file || !data) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	size = fread(data, 1, 1 << 20, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int
main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		struct dirent *entry;
		char path[4096];

		if (!dir) {
			fprintf(stderr, "no corpus %s\n", argv[i]);
			return 1;
		}
		while ((entry = readdir(dir)) != NULL) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			if (replay(path))
				return 1;
			count++;
		}
		closedir(dir);
	}
	if (count == 0) {
		fprintf(stderr, "empty corpus\n");
		return 1;
	}
	printf("%d inputs replayed\n", count);
	return 0;
}
