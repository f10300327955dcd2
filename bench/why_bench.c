/*
 * How many bounces a second "postrider why" understands, on one core: all of test/bounces, again
 * and again, each to a story and a page.
 *
 *	why_bench FOLDER [ROUNDS]
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "rules/story.h"

enum { FILES_MAX = 1000, FILE_BYTES_MAX = 1 << 20 };

static double
seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct span
read_file(const char *folder, const char *name)
{
	char path[1024];
	char *bytes = malloc(FILE_BYTES_MAX);
	size_t count = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!file || !bytes) {
		perror(path);
		exit(EXIT_FAILURE);
	}
	count = fread(bytes, 1, FILE_BYTES_MAX, file);
	fclose(file);
	return span_of(bytes, count);
}

int
main(int argc, char **argv)
{
	static struct span files[FILES_MAX];
	size_t count = 0, done = 0, bytes = 0, reasons = 0;
	long rounds = argc > 2 ? strtol(argv[2], NULL, 10) : 200;
	DIR *folder = argc > 1 ? opendir(argv[1]) : NULL;
	struct dirent *entry;
	double from, both = 0, story_only;
	struct buf out;

	if (!folder) {
		fprintf(stderr, "usage: why_bench FOLDER [ROUNDS]\n");
		return EXIT_FAILURE;
	}
	while ((entry = readdir(folder)) != NULL && count < FILES_MAX)
		if (strstr(entry->d_name, ".eml"))
			files[count++] = read_file(argv[1], entry->d_name);
	closedir(folder);
	buf_init(&out, 8 << 20);
	from = seconds();
	for (long round = 0; round < 2 * rounds; round++) {
		if (round == rounds)
			both = seconds() - from;
		for (size_t i = 0; i < count; i++) {
			struct page page = {.out = &out, .width = PAGE_WIDTH};
			struct story story;

			story_read(&story, files[i]);
			buf_reset(&out);
			if (round < rounds)
				story_page(&page, &story);
			reasons += story.rcpt_count && story.rcpts[0].reason;
			done++;
			bytes += files[i].len;
			story_fini(&story);
		}
	}
	story_only = seconds() - from - both;
	printf("%zu kinds of bounces, %zu bytes each; a reason for %.0f %%\n", count,
	    bytes / (done ? done : 1), 100.0 * (double)reasons / (double)(done ? done : 1));
	printf("%.0f bounces per second to a story, %.0f to a page\n",
	    (double)done / 2 / story_only, (double)done / 2 / both);
	buf_fini(&out);
	return EXIT_SUCCESS;
}
