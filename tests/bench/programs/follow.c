/* SPDX-License-Identifier: BSD-2-Clause */
/* follow [FILE]: trace until stdin ends, as a program does that is linked with our library, and
 * write the events to FILE. Then tells "EVENTS LOST FILTERED MISSED".
 */
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include "libtcpretrans.h"

#define AT_ONCE 16384

static struct tcpretrans_event events[AT_ONCE];

static bool told_to_end(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };

	return poll(&input, 1, 0) != 0;
}

static int drain(struct tcpretrans *tracer, int file)
{
	int got;

	while ((got = tcpretrans_drain(tracer, events, AT_ONCE)) > 0) {
		if (file >= 0 && write(file, events, got * sizeof(*events)) < 0)
			return -1;
	}
	return got;
}

int main(int argc, char **argv)
{
	char why[512];
	struct tcpretrans_opts opts = { .size = sizeof(opts), .error = why, .error_size = sizeof(why) };
	int file = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644) : -1;
	struct tcpretrans *tracer;
	struct tcpretrans_stats stats;

	if (tcpretrans_open(&opts, &tracer)) {
		fprintf(stderr, "follow: %s\n", why);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (!told_to_end()) {
		if (tcpretrans_poll(tracer, 50) < 0 || drain(tracer, file) < 0)
			return 1;
	}
	if (tcpretrans_stats(tracer, &stats, sizeof(stats)))
		return 1;
	printf("%llu %llu %llu %llu\n", (unsigned long long)stats.events, (unsigned long long)stats.lost,
	       (unsigned long long)stats.filtered, (unsigned long long)stats.missed);
	tcpretrans_close(tracer);
	return 0;
}
