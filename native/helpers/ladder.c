/* SPDX-License-Identifier: BSD-2-Clause */
#include "ladder.h"

#include <bpf/btf.h>
#include <stdlib.h>
#include <string.h>
#include "attempt.h"
#include "tcpretrans.skel.h"

#define REASON_BYTES 512

static const struct rung rungs[] = {
	[TCPRETRANS_ATTACH_TP_BTF] = { "tp_btf", typed_bpf__elf_bytes, "on_retransmit_skb",
		TCPRETRANS_CAN_LEDGER | TCPRETRANS_CAN_REASON, ~0ULL },
	[TCPRETRANS_ATTACH_RAW_TP] = { "raw_tp", untyped_bpf__elf_bytes, "on_retransmit_skb",
		TCPRETRANS_CAN_LEDGER | TCPRETRANS_CAN_REASON, ~0ULL },
	[TCPRETRANS_ATTACH_TP] = { "tp", tracefs_bpf__elf_bytes, "on_retransmit_skb",
		0, TCPRETRANS_KNOWN_OWNER | TCPRETRANS_KNOWN_SENT },
	[TCPRETRANS_ATTACH_KPROBE] = { "kprobe", untyped_bpf__elf_bytes, "on_call_retransmit_skb",
		TCPRETRANS_CAN_REASON, ~0ULL },
};

/* Before anything is attached, so that no event goes past the filter. */
static int begin_filtering(const struct attempt *attempt)
{
	struct programs *programs = attempt->programs;
	int err = withheld_open(&programs->withheld);

	if (err)
		return explain(attempt->why, err, NOT_ENOUGH_MEMORY);
	programs->filtering.object = programs->object;
	programs->filtering.no_owners = attempt->opts->no_owners;
	return filtering_set(&programs->filtering, attempt->opts->filter, &programs->can, attempt->why);
}

static int try_rung(struct programs *programs, const struct tcpretrans_opts *opts, uint32_t number,
		    const struct explain *why)
{
	struct attempt attempt = {
		.opts = opts, .rung = &rungs[number], .number = number, .programs = programs, .why = why,
		.settings = { .no_owners = opts->no_owners },
		.logs = calloc(MAX_PROGRAMS, LOG_BYTES),
	};
	int err = attempt.logs ? ask_buffer(&attempt) : explain(why, -ENOMEM, NOT_ENOUGH_MEMORY);

	programs->can.attach = number;
	programs->can.can = attempt.rung->can;
	programs->can.known = attempt.rung->known;
	if (!err)
		err = number == TCPRETRANS_ATTACH_TP ? ask_tracefs(&attempt) : ask_btf(&attempt);
	err = err ?: load_programs(&attempt);
	err = err ?: begin_filtering(&attempt);
	err = err ?: attach_programs(&attempt);
	err = err ?: check_reading(&attempt);
	err = err ?: look_around(&attempt);
	btf__free(attempt.btf);
	free(attempt.logs);
	return err;
}

/* Whether no other way can work better. */
static bool is_hopeless(int err)
{
	return err != -EOPNOTSUPP && err != -EACCES;
}

/* None of the ways works: the sentence about the first, and about the one that needs the least. */
static int explain_all(const struct explain *why, int err, const char *first, const char *last)
{
	if (!strcmp(first, last))
		return explain(why, err, "%s", first);
	return explain(why, err, "%s; and without type information: %s", first, last);
}

int ladder_climb(struct programs *programs, const struct tcpretrans_opts *opts,
		 const struct explain *why)
{
	char reasons[TCPRETRANS_ATTACH_TP + 1][REASON_BYTES] = {};
	uint32_t first = opts->btf ? TCPRETRANS_ATTACH_RAW_TP : TCPRETRANS_ATTACH_TP_BTF;
	bool forbidden = false;
	int err = 0;

	if (opts->attach)
		return try_rung(programs, opts, opts->attach, why);
	for (uint32_t number = first; number <= TCPRETRANS_ATTACH_TP; number++) {
		const struct explain here = { reasons[number], REASON_BYTES };
		struct notes climbed = programs->notes;

		err = try_rung(programs, opts, number, &here);
		if (!err)
			return 0;
		if (is_hopeless(err))
			return explain(why, err, "%s", reasons[number]);
		forbidden = forbidden || err == -EACCES;
		programs_free(programs);
		programs->notes = climbed;
		note(&programs->notes, "%s: %s", rungs[number].name, reasons[number]);
	}
	return explain_all(why, forbidden ? -EACCES : err, reasons[first], reasons[TCPRETRANS_ATTACH_TP]);
}
