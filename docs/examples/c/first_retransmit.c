/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits for the first retransmit of this host (to that remote port, if one is given), prints it and
 * ends. From the top of the tree:
 *
 *	make -C native
 *	cc -I native docs/examples/c/first_retransmit.c native/build/libtcpretrans.a -o first_retransmit
 *	sudo ./first_retransmit [PORT]
 */
#include <arpa/inet.h>
#include <libtcpretrans.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static struct tcpretrans *tracer;

static void on_signal(int number)
{
	(void)number;
	tcpretrans_stop(tracer); /* the one call that a signal handler may make */
}

static int on_retransmit(const struct tcpretrans_event *event, void *ctx)
{
	int family = event->family == 6 ? AF_INET6 : AF_INET;
	char local[INET6_ADDRSTRLEN], remote[INET6_ADDRSTRLEN];
	const int *port = ctx;

	if (event->err || (*port && event->dport != *port))
		return 0; /* a failed attempt is no retransmit: go on */
	inet_ntop(family, event->saddr, local, sizeof(local));
	inet_ntop(family, event->daddr, remote, sizeof(remote));
	printf("%s port %u -> %s port %u: %u segment(s)\n",
	       local, event->sport, remote, event->dport, event->segs);
	return 1; /* not zero: tcpretrans_run() ends and returns it */
}

int main(int argc, char **argv)
{
	char why[256] = "";
	struct tcpretrans_opts opts = { .size = sizeof(opts), .error = why, .error_size = sizeof(why) };
	int port = argc > 1 ? atoi(argv[1]) : 0;
	int result = tcpretrans_open(&opts, &tracer);

	if (result < 0) {
		fprintf(stderr, "cannot trace: %s\n", why);
		return 1;
	}
	signal(SIGINT, on_signal);
	fprintf(stderr, "Tracing with libtcpretrans %s\n", tcpretrans_version());
	result = tcpretrans_run(tracer, on_retransmit, &port);
	tcpretrans_close(tracer);
	return result < 0; /* 1: the callback had enough; 0: it was stopped before */
}
