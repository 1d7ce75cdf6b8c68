/* SPDX-License-Identifier: BSD-2-Clause */
/* traffic MODE ADDRESS PORT COUNT, inside a network namespace; "ready" on stdout when it stands.
 *
 *	bulk    COUNT flows that send all they can to ADDRESS PORT
 *	serve   takes all that comes there, and throws it away
 *	dead    COUNT connects to where nobody answers, each to a socket's own: one SYN a second
 *	hold    COUNT open sockets that do nothing, two for each connection with itself
 *	cycle   COUNT times connect, accept, send, receive, close; then it ends
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define AT_ONCE    256
#define PORTS_EACH 10000 /* connects to one port: fewer than there are local ports */

static char chunk[1 << 16];
static struct sockaddr_in there = { .sin_family = AF_INET };
static int epoll;

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void watch(int fd, unsigned events)
{
	struct epoll_event interest = { .events = events, .data.fd = fd };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest))
		die("epoll_ctl");
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

static int tcp_socket(int flags)
{
	int made = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (made < 0)
		die("socket");
	return made;
}

static int listener(void)
{
	int door = tcp_socket(0), one = 1;

	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(door, (struct sockaddr *)&there, sizeof(there)) || listen(door, 4096))
		die("listen");
	return door;
}

static int connected(int flags)
{
	int made = tcp_socket(flags);

	if (connect(made, (struct sockaddr *)&there, sizeof(there)) && errno != EINPROGRESS)
		die("connect");
	return made;
}

static void serve_one(int fd)
{
	ssize_t got = recv(fd, NULL, 1 << 20, MSG_TRUNC); /* the kernel copies nothing */

	if (got == 0 || (got < 0 && errno != EAGAIN))
		close(fd);
}

static void serve(int count)
{
	struct epoll_event woken[AT_ONCE];
	int door = listener();
	int n, peer;

	watch(door, EPOLLIN);
	ready();
	while ((n = epoll_wait(epoll, woken, AT_ONCE, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			if (woken[i].data.fd != door) {
				serve_one(woken[i].data.fd);
				continue;
			}
			peer = accept4(door, NULL, NULL, SOCK_NONBLOCK);
			if (peer >= 0)
				watch(peer, EPOLLIN);
		}
	}
}

/* All are connected before anything is sent. Each has little room, so that many fit into memory. */
static void bulk(int count)
{
	struct epoll_event woken[AT_ONCE];
	int n, room = count < 1000 ? sizeof(chunk) : sizeof(chunk) / 16;

	for (int i = 0; i < count; i++) {
		int flow = connected(0);

		setsockopt(flow, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
		watch(flow, EPOLLOUT);
	}
	ready();
	while ((n = epoll_wait(epoll, woken, AT_ONCE, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++)
			send(woken[i].data.fd, chunk, sizeof(chunk), MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void dead(int count)
{
	int first = ntohs(there.sin_port);

	for (int i = 0; i < count; i++) {
		there.sin_port = htons(first + i / PORTS_EACH);
		connected(SOCK_NONBLOCK);
	}
	ready();
	pause();
}

static void hold(int count)
{
	int door = listener();

	for (int i = 0; i < count / 2; i++) {
		connected(0);
		if (accept(door, NULL, NULL) < 0)
			die("accept");
	}
	ready();
	pause();
}

static void cycle(int count)
{
	int door = listener();

	ready();
	for (int i = 0; i < count; i++) {
		int client = connected(0), server = accept(door, NULL, NULL);

		if (server < 0 || send(client, chunk, 100, 0) != 100 ||
		    recv(server, chunk, 100, MSG_WAITALL) != 100)
			die("a connection");
		close(client);
		close(server);
	}
}

static const struct {
	const char *name;
	void (*run)(int count);
} modes[] = {
	{ "serve", serve }, { "bulk", bulk }, { "dead", dead }, { "hold", hold }, { "cycle", cycle },
};

int main(int argc, char **argv)
{
	struct rlimit files;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	epoll = epoll_create1(0);
	if (argc != 5 || inet_pton(AF_INET, argv[2], &there.sin_addr) != 1)
		return 2;
	there.sin_port = htons(atoi(argv[3]));
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(modes[i].name, argv[1]))
			continue;
		modes[i].run(atoi(argv[4]));
		return 0;
	}
	return 2;
}
