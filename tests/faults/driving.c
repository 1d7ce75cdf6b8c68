/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that libtcpretrans can do, once for each call that fails: driving KIND ERRNO STEP BUFFER BY FIRST.
 *
 * Prints `POSITION opened|refused ERROR TEXT` for each that is reached. Ends with 1 where descriptors or memory are left.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libtcpretrans.h"

void fault_set(const char *which, long position, int number);
int fault_reached(void);
long fault_live(void);
long fault_mapped(void);

static const char *end = "refused";
static char why[1024];

static int descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

static int worst(int so_far, int result)
{
	return so_far < 0 || result >= 0 ? so_far : result;
}

static int use(struct tcpretrans *tracer, bool counting)
{
	struct tcpretrans_event events[16];
	struct tcpretrans_count rows[16], beyond;
	struct tcpretrans_filter filter = { 0 };
	struct tcpretrans_stats stats;
	char text[4096];
	struct tcpretrans_text lines = { .size = sizeof(lines), .bytes = text, .room = sizeof(text) };
	struct tcpretrans_ndjson *writer = NULL;
	int err = tcpretrans_poll(tracer, 20), n = tcpretrans_drain(tracer, events, 16);

	err = worst(worst(err, n), tcpretrans_set_filter(tracer, &filter, why, sizeof(why)));
	err = worst(err, tcpretrans_stats(tracer, &stats, sizeof(stats)));
	if (counting)
		err = worst(err, tcpretrans_counts(tracer, rows, 16, &beyond));
	n = n < 0 ? 0 : n;
	err = worst(err, tcpretrans_ndjson_open(&writer));
	if (writer)
		err = worst(err, tcpretrans_ndjson_write(writer, events, n, &lines));
	if (writer)
		tcpretrans_ndjson_close(writer);
	tcpretrans_stop(tracer);
	n = tcpretrans_poll(tracer, 0);
	return worst(err, n == -ECANCELED ? 0 : n);
}

static int once(int buffer, int by)
{
	struct tcpretrans_opts opts = { .size = sizeof(opts), .error = why, .error_size = sizeof(why),
					.buffer = buffer, .count_by = by };
	struct tcpretrans *tracer;
	int err;

	*why = '\0';
	end = "refused";
	err = tcpretrans_open(&opts, &tracer);
	if (err)
		return err;
	end = "opened";
	err = use(tracer, by);
	tcpretrans_close(tracer);
	return err;
}

int main(int argc, char **argv)
{
	int step = argc == 7 ? atoi(argv[3]) : 0, reached = 1, bad = 0;
	long position;

	if (!step)
		return 2;
	printf("%d %s\n", once(atoi(argv[4]), atoi(argv[5])), why); /* so that libc has what it keeps */
	once(atoi(argv[4]), atoi(argv[5]));
	for (position = atoi(argv[6]); reached; position += step) {
		int fds = descriptors(), err;
		long heap = fault_live(), mapped = fault_mapped();

		fault_set(argv[1], position, atoi(argv[2]));
		err = once(atoi(argv[4]), atoi(argv[5]));
		reached = fault_reached();
		if (reached)
			printf("%ld %s %d %s\n", position, end, err, why);
		if (fds != descriptors() || heap != fault_live() || mapped != fault_mapped()) {
			bad = 1;
			printf("left at %ld: %d descriptors, %ld allocations, %ld bytes mapped\n", position,
			       descriptors() - fds, fault_live() - heap, fault_mapped() - mapped);
		}
		fflush(stdout);
	}
	return bad;
}
