/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which process waits for a socket: read from the socket's own wait queue.
 *
 * What an entry of the queue belongs to (a sleeping task, poll, epoll, io_uring) is not written in
 * it. But the structs around an entry of the last three name the queue and the file again; where
 * both agree, there is no doubt.
 */
#ifndef OWNER_WAIT_H
#define OWNER_WAIT_H

#define MAX_WAITERS  8
#define PF_KTHREAD   0x00200000
#define IO_POLL_MASK 3UL /* include/io_uring/poll.c: flags in the pointer to the request */

#define around(pointer, type, member) \
	((const type *)((const char *)(pointer) - bpf_core_field_offset(type, member)))

/* Instead of a task: there are several, of different processes, so that none can be named. */
#define SEVERAL 1UL

/* Whether this is a task that lives: such a struct points at itself and at its leader. */
static __always_inline bool is_user_task(const struct task_struct *task)
{
	const struct task_struct *leader = peek(task, group_leader);

	return leader &&
	       (!bpf_core_field_exists(task->cpus_ptr) || peek(task, cpus_ptr) == &task->cpus_mask) &&
	       peek(leader, tgid) == peek(task, tgid) &&
	       !(peek(task, flags) & PF_KTHREAD);
}

static __always_inline const struct file *file_at(const struct task_struct *task, __u32 fd)
{
	const struct fdtable *table = peek(peek(task, files), fdt);

	return table && fd < peek(table, max_fds) ? (const void *)number_at(peek(table, fd) + fd) : 0;
}

/* `found` and one more task. */
static __always_inline unsigned long add_waiter(unsigned long found, const struct task_struct *task)
{
	if (found == SEVERAL || !task || !is_user_task(task))
		return found;
	if (found && peek((const struct task_struct *)found, tgid) != peek(task, tgid))
		return SEVERAL;
	return (unsigned long)task;
}

/* An epoll set keeps a socket until its last descriptor is closed, whoever has it: the fd under
 * which it was added tells whether the sleeper still does.
 *
 * The functions that are not static are so for the verifier: it checks them once, not at each call. */
__noinline unsigned long epoll_waiter(unsigned long item_address)
{
	const struct epitem *item = (const void *)item_address;
	const struct file *file = peek(item, ffd.file);
	const struct eventpoll *ep = peek(item, ep);
	const struct list_head *head = &ep->wq.head;
	const struct list_head *at = peek(head, next);
	__u32 fd = peek(item, ffd.fd);
	unsigned long found = 0;

	for (int i = 0; i < MAX_WAITERS && at && at != head; i++) {
		const struct task_struct *task =
			peek(around(at, struct wait_queue_entry, entry), private);

		if (task && file_at(task, fd) == file)
			found = add_waiter(found, task);
		at = peek(at, next);
	}
	return at == head ? found : SEVERAL;
}

static __always_inline const struct task_struct *uring_task(const struct io_kiocb *request)
{
	const struct io_kiocb___task *older = (const void *)request;

	if (bpf_core_field_exists(older->task))
		return peek(older, task);
	if (bpf_core_field_exists(request->tctx) && bpf_core_type_exists(struct io_uring_task))
		return peek(peek(request, tctx), task);
	return 0;
}

/* The task behind one entry of a socket's wait queue, 0 or SEVERAL. */
__noinline unsigned long waiter_at(unsigned long entry_address, unsigned long queue_address,
				   unsigned long file_address)
{
	const struct wait_queue_entry *entry = (const void *)entry_address;
	const struct wait_queue_head *queue = (const void *)queue_address;
	const struct file *file = (const void *)file_address;
	const struct poll_table_entry *poll = around(entry, struct poll_table_entry, wait);
	const struct eppoll_entry *epoll = around(entry, struct eppoll_entry, wait);
	const struct io_poll *uring = around(entry, struct io_poll, wait);
	const void *private = peek(entry, private);
	const struct io_kiocb *request = (const void *)((unsigned long)private & ~IO_POLL_MASK);
	const struct epitem *item;

	if (!private) {
		item = peek(epoll, base);
		if (!item || peek(epoll, whead) != queue || peek(item, ffd.file) != file)
			return 0;
		return epoll_waiter((unsigned long)item);
	}
	if (peek(poll, wait_address) == queue && peek(poll, filp) == file)
		return (unsigned long)peek((const struct poll_wqueues *)private, polling_task);
	if (bpf_core_type_exists(struct io_poll) && peek(uring, head) == queue &&
	    peek(request, file) == file)
		return (unsigned long)uring_task(request);
	return (unsigned long)private;
}

/* The task whose process alone waits for a socket, or 0. */
__noinline unsigned long waiting_task(unsigned long wq_address, unsigned long file_address)
{
	const struct socket_wq *wq = (const void *)wq_address;
	const struct wait_queue_head *queue = &wq->wait;
	const struct list_head *head = &queue->head;
	const struct list_head *at = wq ? peek(head, next) : head;
	unsigned long found = 0, task;

	for (int i = 0; i < MAX_WAITERS && at && at != head; i++) {
		task = waiter_at((unsigned long)around(at, struct wait_queue_entry, entry),
				 (unsigned long)queue, file_address);
		found = task == SEVERAL ? SEVERAL : add_waiter(found, (const void *)task);
		at = peek(at, next);
	}
	return at != head || found == SEVERAL ? 0 : found;
}

#endif
