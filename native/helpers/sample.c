/* SPDX-License-Identifier: BSD-2-Clause */
#include "sample.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "netns.h"
#include "../bpf/sample.h"

#define TRIES        4 /* others may begin to listen at the same moment */
#define NO_THRESHOLD 0x7fffffff /* TCP_INFINITE_SSTHRESH, include/net/tcp.h */

static int listen_there(int fd, uint32_t address, struct tcpretrans_sample *truth)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
	socklen_t length = sizeof(own), name_length = sizeof(truth->ca_name);

	if (bind(fd, (struct sockaddr *)&own, sizeof(own)) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&own, &length) ||
	    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, truth->ca_name, &name_length))
		return -errno;
	truth->port = ntohs(own.sin_port);
	return 0;
}

/* A listening socket, of which everything in `truth` is known. */
static int listen_somewhere(struct tcpretrans_sample *truth)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	err = listen_there(fd, INADDR_LOOPBACK, truth);
	if (err == -EADDRNOTAVAIL) /* a namespace whose loopback device is down */
		err = listen_there(fd, INADDR_ANY, truth);
	close(fd);
	return err;
}

int sample_check(int map_fd)
{
	struct tcpretrans_sample truth = { .ssthresh = NO_THRESHOLD, .family = AF_INET }, seen;
	const uint32_t zero = 0;
	int err;

	truth.netns = netns_of_here();
	for (int i = 0; i < TRIES; i++) {
		err = listen_somewhere(&truth);
		if (err)
			return err;
		if (bpf_map_lookup_elem(map_fd, &zero, &seen))
			return -errno;
		if (seen.netns == truth.netns && seen.port == truth.port && seen.family == truth.family &&
		    seen.ssthresh == truth.ssthresh && !strcmp(seen.ca_name, truth.ca_name))
			return 0;
	}
	return -EINVAL;
}
