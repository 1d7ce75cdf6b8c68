/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose a socket is. The process on the CPU is not it: most retransmits happen in a softirq. In this
 * order, and unknown where none decides:
 *
 *   a task inside a system call on this socket, or asleep on it;
 *   where one process holds the socket: that one, if it is known and still does;
 *   where none does yet: who holds the listener; where none does any more: who closed it;
 *   what a pass over all open files finds, for which the event waits in the reader.
 */
#ifndef OWNER_H
#define OWNER_H

#define SOCK_DEAD       0          /* include/net/sock.h: bit in sk_flags */
#define SAME_NS         1000000    /* a decision holds that long, if the file is the same */
#define PASS_HOLDS_NS   1000000000 /* so long a pass is believed where it cannot be checked */
#define ASK_WAKEUP_NS   5000000    /* questions wake the reader no more often */

static __u64 last_question_ns;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct tcpretrans_question);
	__type(value, struct tcpretrans_answer);
} answers SEC(".maps");

enum sharing { SOLE, SHARED, PERHAPS_SHARED }; /* as in tcpretrans_answer */

/* Whether the pass accounted for all references to the file: what is no descriptor is a call under
 * way in a process with threads, or else on its way to another process. */
static __always_inline bool found_one(const struct owner_memory *memory)
{
	return memory->holder.pid && !memory->several &&
	       (memory->threaded || memory->found >= memory->references);
}

static __always_inline enum sharing sharing_of(const struct owner_memory *memory, __u64 count,
					       __u64 now)
{
	if (count == 1)
		return SOLE;
	if (!memory->passed_ns || now - memory->passed_ns > PASS_HOLDS_NS)
		return PERHAPS_SHARED;
	if (memory->several)
		return SHARED;
	return found_one(memory) && count <= memory->references ? SOLE : PERHAPS_SHARED;
}

static __always_inline void fill_owner(struct tcpretrans_event *event,
				       const struct process *process, __u8 how)
{
	event->owner_pid = process->pid;
	event->owner_how = how;
	__builtin_memcpy(event->owner_comm, process->comm, sizeof(event->owner_comm));
	event->known |= TCPRETRANS_KNOWN_OWNER;
}

static __always_inline void fill_sharing(struct tcpretrans_event *event, enum sharing sharing)
{
	if (sharing == PERHAPS_SHARED)
		return;
	event->owner_shared = sharing == SHARED;
	event->known |= TCPRETRANS_KNOWN_SHARED;
}

/* Whether an event of this socket waits for its owner. */
static __always_inline bool is_asked(const struct owner_memory *memory)
{
	return memory->asked_ns && bpf_ktime_get_ns() - memory->asked_ns < TCPRETRANS_HOLD_NS;
}

static __always_inline void ask(struct tcpretrans_record *record, struct owner_memory *memory,
				const struct sock *sk, __u64 count)
{
	struct tcpretrans_question question = { .sk = (unsigned long)sk };
	struct tcpretrans_answer nothing = {};

	if (settings.count_by) /* nobody could be told the answer */
		return;
	if (!is_asked(memory)) {
		question.asked_ns = record->event.ts_ns;
		if (bpf_map_update_elem(&answers, &question, &nothing, 0))
			return;
		memory->asked_ns = question.asked_ns;
		memory->asked_references = count;
	}
	record->question.sk = (unsigned long)sk;
	record->question.asked_ns = memory->asked_ns;
}

static __always_inline bool wakes_for_question(const struct tcpretrans_record *record)
{
	if (!record->question.asked_ns || record->event.ts_ns - last_question_ns < ASK_WAKEUP_NS)
		return false;
	last_question_ns = record->event.ts_ns;
	return true;
}

/* `process` = 0: nobody can be named. */
static __always_inline void answer(struct owner_memory *memory, const struct sock *sk,
				   const struct process *process, __u8 how,
				   enum sharing sharing)
{
	struct tcpretrans_question question = { .sk = (unsigned long)sk };
	struct tcpretrans_answer said = { .answered = 1, .shared = sharing };

	question.asked_ns = memory->asked_ns;
	if (!question.asked_ns)
		return;
	if (process) {
		said.pid = process->pid;
		said.how = how;
		__builtin_memcpy(said.comm, process->comm, sizeof(said.comm));
	}
	bpf_map_update_elem(&answers, &question, &said, BPF_EXIST);
}

/* Whether a process may be named because it alone holds the socket, or held it last: not where
 * another was seen at work, or may have been at work while several held it. */
static __always_inline bool may_be_owner(const struct owner_memory *memory, __u32 pid)
{
	if (memory->user.how == TCPRETRANS_OWNER_LAST_USER)
		return memory->user.pid == pid;
	return !memory->was_shared;
}

/* Of a closed socket. */
static __always_inline const struct process *last_owner(const struct owner_memory *memory)
{
	if (memory->closer.pid)
		return may_be_owner(memory, memory->closer.pid) ? &memory->closer : 0;
	return memory->user.how == TCPRETRANS_OWNER_LAST_USER ? &memory->user : 0;
}

/* A connection that nobody has accepted yet belongs to the one process that can. */
static __always_inline void find_inherited(struct tcpretrans_event *event,
					   struct owner_memory *memory)
{
	const struct file *file = (const void *)memory->file;
	enum sharing sharing;
	struct process *process = &memory->user;

	if (!file)
		return;
	if (!holds(process, file)) {
		process = &memory->holder;
		if (!holds(process, file))
			return;
	}
	sharing = sharing_of(memory, references(file), event->ts_ns);
	fill_sharing(event, sharing);
	if (sharing == SOLE)
		fill_owner(event, process, TCPRETRANS_OWNER_INHERITED);
}

/* Of the processes remembered, the one that holds the file, which only one does. */
static __always_inline bool find_holder(struct owner_memory *memory, const struct file *file)
{
	if (may_be_owner(memory, memory->user.pid) && holds(&memory->user, file))
		return true;
	if (!may_be_owner(memory, memory->holder.pid) || !holds(&memory->holder, file))
		return false;
	memory->user = memory->holder;
	return true;
}

/* The listener's memory knows who may have accepted; all else in it is about the listener. */
static __always_inline void start_own(struct owner_memory *memory, const struct sock *sk)
{
	struct process listening;

	if (is_own(memory, sk))
		return;
	listening = memory->user;
	make_own(memory, sk);
	if (!listening.pid)
		return;
	memory->user = listening;
	memory->user.how = TCPRETRANS_OWNER_FILE;
	memory->user.fd = NO_FD;
}

/* Nobody holds the socket: it is not accepted yet, or closed, or just being closed. */
static __always_inline void find_without_file(struct tcpretrans_record *record,
					      const struct sock *sk, struct owner_memory *memory)
{
	bool dead = get(sk, __sk_common.skc_flags) & (1 << SOCK_DEAD);
	const struct process *process;

	if (!dead && !peek(sk, sk_socket)) {
		if (!is_own(memory, sk))
			find_inherited(&record->event, memory);
		return;
	}
	start_own(memory, sk);
	process = last_owner(memory);
	if (process)
		fill_owner(&record->event, process, process->how);
	else if (!dead)
		ask(record, memory, sk, 1);
}

/* What a listener sends again belongs to connections not yet accepted. */
static __always_inline __u8 how_held(const struct sock *sk, __u8 how)
{
	return peek(sk, __sk_common.skc_state) == TCP_LISTEN ? TCPRETRANS_OWNER_INHERITED : how;
}

static __always_inline const struct task_struct *working_task(const struct sock *sk,
							      const struct file *file, __u8 *how)
{
	const struct task_struct *task = 0;

	/* a listener sends SYN-ACKs without its lock; whoever holds that is somebody else */
	if (get(sk, __sk_common.skc_state) != TCP_LISTEN && get(sk, sk_lock.owned))
		task = user_task();
	if (task) {
		*how = TCPRETRANS_OWNER_LOCK;
		return task;
	}
	*how = TCPRETRANS_OWNER_WAITING;
	return (const void *)waiting_task((unsigned long)peek(sk, sk_wq), (unsigned long)file);
}

/* A process seen at work; it also answers the question of an event just before. */
static __always_inline void note_working(struct owner_memory *memory, const struct sock *sk,
					 const struct task_struct *task, enum sharing sharing)
{
	note_process(&memory->user, task, TCPRETRANS_OWNER_LAST_USER);
	if (is_asked(memory))
		answer(memory, sk, &memory->user, TCPRETRANS_OWNER_LAST_USER, sharing);
}

static __always_inline void find_with_file(struct tcpretrans_record *record, const struct sock *sk,
					   struct owner_memory *memory, const struct file *file,
					   __u64 count)
{
	struct tcpretrans_event *event = &record->event;
	const struct task_struct *task;
	enum sharing sharing;
	__u8 how;

	start_own(memory, sk);
	memory->file = (unsigned long)file;
	sharing = sharing_of(memory, count, event->ts_ns);
	fill_sharing(event, sharing);
	task = working_task(sk, file, &how);
	if (task) {
		note_working(memory, sk, task, sharing);
		fill_owner(event, &memory->user, how);
		memory->decided_how = how;
		memory->was_shared = sharing != SOLE;
	} else if (sharing == SOLE && find_holder(memory, file)) {
		how = how_held(sk, memory->user.how);
		fill_owner(event, &memory->user, how);
		memory->decided_how = how;
	} else {
		if (sharing != SHARED)
			ask(record, memory, sk, count);
		return;
	}
	memory->decided_ns = event->ts_ns;
	memory->decided_references = count;
	if (sharing == PERHAPS_SHARED)
		ask(record, memory, sk, count);
}

/* In a storm of retransmits most are like the one before. */
static __always_inline bool is_as_before(struct tcpretrans_event *event, const struct sock *sk,
					 const struct owner_memory *memory, const struct file *file,
					 __u64 count)
{
	enum sharing sharing = sharing_of(memory, count, event->ts_ns);

	if (!is_own(memory, sk) || memory->file != (unsigned long)file ||
	    memory->decided_references != count || sharing == PERHAPS_SHARED ||
	    event->ts_ns - memory->decided_ns > SAME_NS)
		return false;
	fill_sharing(event, sharing);
	fill_owner(event, &memory->user, memory->decided_how);
	return true;
}

static __always_inline void find_owner(struct tcpretrans_record *record, const struct sock *sk)
{
	struct tcpretrans_event *event = &record->event;
	struct owner_memory *memory = settings.no_owners ? 0 : owner_memory_of(sk);
	const struct file *file = peek(peek(sk, sk_socket), file);
	__u64 count = file ? references(file) : 0;

	if (!memory)
		return;
	if (!count)
		find_without_file(record, sk, memory);
	else if (!is_as_before(event, sk, memory, file, count))
		find_with_file(record, sk, memory, file, count);
}

/* The peer is done. Whoever uses the socket now is mostly asleep on it; seen here, a process that
 * closes its own descriptor later is not mistaken for the user. */
static __always_inline void note_peer_done(const struct sock *sk, struct owner_memory *memory,
					   const struct file *file)
{
	__u64 count = references(file);
	const struct task_struct *task;
	__u8 how;

	if (!count)
		return;
	start_own(memory, sk);
	memory->file = (unsigned long)file;
	task = working_task(sk, file, &how);
	if (task)
		note_working(memory, sk, task, count == 1 ? SOLE : PERHAPS_SHARED);
	else if (count > 1)
		memory->was_shared = true;
}

/* A process connects, listens, or is done with sending; it is in a system call on this socket. */
static __always_inline void note_current(const struct sock *sk, struct owner_memory *memory,
					 const struct file *file, __u8 how)
{
	const struct task_struct *task = get(sk, sk_lock.owned) ? user_task() : 0;
	const struct process *process;

	if (!task)
		return;
	make_own(memory, sk);
	if (references(file)) {
		memory->file = (unsigned long)file;
		note_process(&memory->user, task, how);
		guess_fd(&memory->user, task);
		return;
	}
	note_process(&memory->closer, task, TCPRETRANS_OWNER_CLOSE);
	process = last_owner(memory);
	if (process && (memory->asked_references == 1 || process->pid == memory->user.pid))
		answer(memory, sk, process, process->how, PERHAPS_SHARED);
}

static __always_inline void note_state(const struct sock *sk, int state)
{
	bool peer_done = state == TCP_CLOSE_WAIT || state == TCP_CLOSE;
	bool opens = state == TCP_SYN_SENT || state == TCP_LISTEN;
	bool ends = state == TCP_FIN_WAIT1 || state == TCP_LAST_ACK;
	const struct file *file = peek(peek(sk, sk_socket), file);
	struct owner_memory *memory;

	if (settings.no_owners || !file || !(peer_done || opens || ends))
		return;
	memory = owner_memory_of(sk);
	if (!memory)
		return;
	if (opens)
		note_current(sk, memory, file, TCPRETRANS_OWNER_FILE);
	else if (ends)
		note_current(sk, memory, file, TCPRETRANS_OWNER_LAST_USER);
	else if (state == TCP_CLOSE_WAIT || is_asked(memory))
		note_peer_done(sk, memory, file);
}

/* One process that holds the socket, during a pass over all open files. */
static __always_inline void note_holder(const struct sock *sk, const struct task_struct *task,
					__u32 fd, const struct file *file, __u64 pass)
{
	struct owner_memory *memory = owner_memory_of(sk);
	__u32 pid = peek(task, tgid);

	if (!memory)
		return;
	make_own(memory, sk);
	if (memory->pass != pass) {
		memory->pass = pass;
		memory->passed_ns = bpf_ktime_get_ns();
		memory->file = (unsigned long)file;
		memory->references = references(file) - 1; /* the pass has one itself */
		memory->found = 0;
		memory->several = false;
		memory->threaded = peek(peek(task, signal), nr_threads) > 1;
		note_process(&memory->holder, task, TCPRETRANS_OWNER_ITERATOR);
		memory->holder.fd = fd;
	}
	memory->found++;
	if (memory->holder.pid != pid) {
		memory->several = memory->was_shared = true;
		answer(memory, sk, 0, 0, SHARED);
	} else if (found_one(memory) && may_be_owner(memory, pid) &&
		   (memory->threaded || memory->references >= memory->asked_references)) {
		/* with fewer than at the event, a thread's call has ended, or a process let go of it */
		answer(memory, sk, &memory->holder, how_held(sk, TCPRETRANS_OWNER_ITERATOR), SOLE);
	}
}

#endif
