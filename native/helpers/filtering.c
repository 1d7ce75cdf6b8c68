/* SPDX-License-Identifier: BSD-2-Clause */
#include "filtering.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "conditions.h"
#include "programs.h"
#include "../bpf/owner_question.h"

/* Filters by process of which records may be unread. */
#define RULES_MAX 64

/* A filter on its way to the programs. */
struct plan {
	struct tcpretrans_conditions only;
	struct tcpretrans_conditions never;
	struct filter *filter;
	struct filter_key *keys;
	size_t n_keys;
	struct pid_rule *rule; /* NULL where it has no processes */
};

static int map_fd(const struct filtering *filtering, const char *name)
{
	return bpf_object__find_map_fd_by_name(filtering->object, name);
}

static int check(const struct filtering *filtering, const struct tcpretrans_filter *filter,
		 const struct tcpretrans_capabilities *can, struct plan *plan, const struct explain *why)
{
	int err = conditions_read(&plan->only, filter->only, why);

	err = err ?: conditions_read(&plan->never, filter->never, why);
	err = err ?: conditions_possible(&plan->only, filtering->no_owners, can, why);
	err = err ?: conditions_possible(&plan->never, filtering->no_owners, can, why);
	if (err)
		return err;
	plan->n_keys = conditions_listed(&plan->only) + conditions_listed(&plan->never);
	if (plan->n_keys > TCPRETRANS_FILTER_LISTED)
		return conditions_too_many(plan->n_keys, why);
	if ((plan->only.n_pids || plan->never.n_pids) && filtering->n_rules >= RULES_MAX)
		return explain(why, -EBUSY, "the filter was changed %d times while events waited to be "
			       "fetched; fetch them first", RULES_MAX);
	return 0;
}

static struct pid_rule *make_rule(const struct plan *plan, uint32_t number)
{
	size_t n_only = plan->only.n_pids, n_never = plan->never.n_pids;
	struct pid_rule *rule = malloc(sizeof(*rule) + (n_only + n_never) * sizeof(*rule->pids));

	if (!rule)
		return NULL;
	*rule = (struct pid_rule){ .number = number, .has_only = n_only > 0, .n_only = n_only,
				   .n_never = n_never };
	if (n_only)
		memcpy(rule->pids, plan->only.pids, n_only * sizeof(*rule->pids));
	if (n_never)
		memcpy(rule->pids + n_only, plan->never.pids, n_never * sizeof(*rule->pids));
	return rule;
}

static int draw_up(const struct filtering *filtering, struct plan *plan)
{
	struct filter_key *end;

	plan->filter = calloc(1, sizeof(*plan->filter));
	plan->keys = calloc(plan->n_keys + 1, sizeof(*plan->keys));
	if (!plan->filter || !plan->keys)
		return -ENOMEM;
	plan->filter->number = filtering->number + 1;
	plan->filter->slot = !filtering->slot;
	end = conditions_fill(plan->filter, plan->keys, &plan->only, false);
	conditions_fill(plan->filter, end, &plan->never, true);
	if (plan->only.n_pids || plan->never.n_pids) {
		plan->rule = make_rule(plan, plan->filter->number);
		if (!plan->rule)
			return -ENOMEM;
	}
	return 0;
}

static void take_out(const struct filtering *filtering, const struct filter_key *keys, size_t n)
{
	int fd = map_fd(filtering, "filter_lists");

	for (size_t i = 0; i < n; i++)
		bpf_map_delete_elem(fd, &keys[i]);
}

/* Into the slot that is not in use. */
static int lay_down(const struct filtering *filtering, const struct plan *plan)
{
	int fd = map_fd(filtering, "filter_lists");
	const uint8_t there = 1;

	if (bpf_map_update_elem(map_fd(filtering, "filters"), &plan->filter->slot, plan->filter, BPF_ANY))
		return -errno;
	for (size_t i = 0; i < plan->n_keys; i++) {
		int err = bpf_map_update_elem(fd, &plan->keys[i], &there, BPF_ANY) ? -errno : 0;

		if (err) {
			take_out(filtering, plan->keys, i);
			return err;
		}
	}
	return 0;
}

/* One byte of it changes. */
static int switch_to(const struct filtering *filtering, uint32_t slot)
{
	const uint8_t value[8] = { slot };
	const uint32_t zero = 0;

	return bpf_map_update_elem(map_fd(filtering, TCPRETRANS_FILTER_SWITCH), &zero, value, BPF_ANY) ?
	       -errno : 0;
}

/* What the programs went by before is theirs until they have ended. */
static void take_over(struct filtering *filtering, struct plan *plan)
{
	programs_wait();
	take_out(filtering, filtering->keys, filtering->n_keys);
	free(filtering->keys);
	filtering->keys = plan->keys;
	filtering->n_keys = plan->n_keys;
	plan->keys = NULL;
	filtering->slot = plan->filter->slot;
	filtering->number = plan->filter->number;
	if (!plan->rule)
		return;
	plan->rule->older = filtering->rules;
	filtering->rules = plan->rule;
	filtering->n_rules++;
	plan->rule = NULL;
}

static int explain_set(const struct explain *why, int err)
{
	if (err == -ENOMEM || err == -ENOSPC)
		return explain(why, err, "there is no memory for the filter; shorten its lists, or raise the "
			       "memory limit");
	return explain(why, err, "the kernel does not take the filter: %s; bpf() may be forbidden since the "
		       "tracer was opened", strerror(-err));
}

int filtering_set(struct filtering *filtering, const struct tcpretrans_filter *filter,
		  const struct tcpretrans_capabilities *can, const struct explain *why)
{
	static const struct tcpretrans_filter no_conditions;
	struct plan plan = {};
	int err;

	if (!filter && !filtering->number)
		return 0;
	err = check(filtering, filter ? filter : &no_conditions, can, &plan, why);
	if (err)
		return err;
	err = draw_up(filtering, &plan);
	err = err ?: lay_down(filtering, &plan);
	if (!err) {
		err = switch_to(filtering, plan.filter->slot);
		if (err)
			take_out(filtering, plan.keys, plan.n_keys);
		else
			take_over(filtering, &plan);
	}
	free(plan.filter);
	free(plan.keys);
	free(plan.rule);
	return err ? explain_set(why, err) : 0;
}

static bool is_among(uint32_t pid, const uint32_t *pids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

bool filtering_passes(const struct filtering *filtering, const struct tcpretrans_record *record)
{
	uint32_t number = record->judgement.filter;
	uint32_t pid = record->event.known & TCPRETRANS_KNOWN_OWNER ? record->event.owner_pid : 0;
	const struct pid_rule *rule = filtering->rules;

	while (rule && rule->number != number)
		rule = rule->older;
	if (!number || !rule)
		return true;
	if (rule->has_only && !(pid && is_among(pid, rule->pids, rule->n_only)))
		return false;
	return !pid || !is_among(pid, rule->pids + rule->n_only, rule->n_never);
}

static void free_rules(struct pid_rule *rule)
{
	while (rule) {
		struct pid_rule *older = rule->older;

		free(rule);
		rule = older;
	}
}

void filtering_forget(struct filtering *filtering)
{
	struct pid_rule *latest = filtering->rules;

	if (!latest || !latest->older)
		return;
	free_rules(latest->older);
	latest->older = NULL;
	filtering->n_rules = 1;
}

void filtering_free(struct filtering *filtering)
{
	free_rules(filtering->rules);
	free(filtering->keys);
	memset(filtering, 0, sizeof(*filtering));
}
