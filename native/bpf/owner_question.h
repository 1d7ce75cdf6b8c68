/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What programs and reader say to each other about owners that are not known at the event.
 *
 * The programs put the question behind the event. The reader holds such an event back for a while,
 * has the open files of all processes looked through, and finds the answer in the map `answers`.
 */
#ifndef OWNER_QUESTION_H
#define OWNER_QUESTION_H

/* For how long an event may wait for its answer. */
#define TCPRETRANS_HOLD_NS 20000000

struct tcpretrans_question {
	uint64_t sk;       /* which socket */
	uint64_t asked_ns; /* when; 0 = nothing is asked */
};

struct tcpretrans_answer {
	uint32_t pid;      /* 0 = not known */
	uint8_t  how;      /* enum tcpretrans_owner_how */
	uint8_t  shared;   /* 1 = yes, 0 = no, 2 = not known */
	uint8_t  answered;
	uint8_t  reserved;
	char     comm[16];
};

/* A filter by process waits for the answer, too. The event counts as written until then. */
struct tcpretrans_judgement {
	uint32_t filter;     /* whose number that is; 0 = the event has passed */
	uint32_t uncounted_netns; /* counted for no namespace, but among the others */
	uint64_t netns_cookie;
};

/* What lies in the ring buffer. */
struct tcpretrans_record {
	struct tcpretrans_event event;
	struct tcpretrans_question question;
	struct tcpretrans_judgement judgement;
};

#endif
