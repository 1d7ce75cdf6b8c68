/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of the processes that use a socket (struct owner_memory). */
#ifndef OWNER_MEMORY_H
#define OWNER_MEMORY_H

#define NO_FD     0xffffffff
#define FD_CHUNK  16 /* tables of descriptors have whole chunks; the stack has no room for more */
#define MAX_CHUNKS 16

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct owner_memory);
} owner_memories_by_address SEC(".maps");

static const struct owner_memory empty_owner_memory;

/* Memory as it is: possibly still the listener's; but without storage nothing is passed on. */
static __always_inline struct owner_memory *owner_memory_of(const struct sock *sk)
{
	struct memories *memories;

	if (!settings.has_storage)
		return find_or_add(&owner_memories_by_address, (unsigned long)sk, &empty_owner_memory);
	memories = memories_of(sk, BPF_SK_STORAGE_GET_F_CREATE);
	if (!memories)
		return 0;
	barrier_var(memories); /* or the compiler adds to the pointer before it looks for 0 */
	return &memories->owner;
}

/* At a socket's beginning and end: another one may get its address. */
static __always_inline void forget(const struct sock *sk)
{
	__u64 address = (unsigned long)sk;

	if (settings.has_storage)
		return;
	bpf_map_delete_elem(&socket_memories_by_address, &address);
	if (!settings.no_owners)
		bpf_map_delete_elem(&owner_memories_by_address, &address);
}

static __always_inline bool is_own(const struct owner_memory *memory, const struct sock *sk)
{
	return memory->sk == (unsigned long)sk;
}

static __always_inline void make_own(struct owner_memory *memory, const struct sock *sk)
{
	if (is_own(memory, sk))
		return;
	__builtin_memset(memory, 0, sizeof(*memory));
	memory->sk = (unsigned long)sk;
}

static __always_inline void note_process(struct process *process, const struct task_struct *task,
					 __u8 how)
{
	__u64 started_ns = peek(task, start_time);

	if (process->task != (unsigned long)task || process->started_ns != started_ns)
		process->fd = NO_FD;
	process->task = (unsigned long)task;
	process->started_ns = started_ns;
	process->pid = peek(task, tgid);
	process->how = how;
	copy_name(process->comm, task->comm);
}

static __always_inline const struct task_struct *user_task(void)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();

	return peek(task, flags) & PF_KTHREAD ? 0 : task;
}

/* The socket was mostly the last thing the process opened before: then this is its descriptor. */
static __always_inline void guess_fd(struct process *process, const struct task_struct *task)
{
	if (process->fd == NO_FD)
		process->fd = peek(peek(task, files), next_fd) - 1;
}

/* How many descriptors and calls under way refer to a file; 0 = it is being closed. */
static __always_inline __u64 references(const struct file *file)
{
	const struct file___counted *older = (const void *)file;
	__u64 count;

	if (bpf_core_field_exists(older->f_count))
		count = peek(older, f_count.counter);
	else
		count = peek(file, f_ref.refcnt.counter) + 1;
	return count >> 31 ? 0 : count;
}

/* Looks for the file among the first descriptors of a process; a pass finds the higher ones. */
__noinline __u32 find_fd(unsigned long task_address, unsigned long file_address)
{
	const struct task_struct *task = (const void *)task_address;
	const struct file *file = (const void *)file_address;
	const struct fdtable *table = peek(peek(task, files), fdt);
	struct file **files = table ? peek(table, fd) : 0;
	__u32 max = table ? peek(table, max_fds) : 0;
	const struct file *chunk[FD_CHUNK];

	for (__u32 first = 0; first < FD_CHUNK * MAX_CHUNKS && first < max; first += FD_CHUNK) {
		if (bpf_probe_read_kernel(chunk, sizeof(chunk), files + first))
			break;
		for (__u32 i = 0; i < FD_CHUNK; i++)
			if (chunk[i] == file)
				return first + i;
	}
	return NO_FD;
}

/* Whether the process lives and has the file open. */
static __always_inline bool holds(struct process *process, const struct file *file)
{
	const struct task_struct *task = (const void *)process->task;

	if (!task || peek(task, start_time) != process->started_ns ||
	    (__u32)peek(task, tgid) != process->pid)
		return false;
	if (process->fd == NO_FD || file_at(task, process->fd) != file)
		process->fd = find_fd((unsigned long)task, (unsigned long)file);
	if (process->fd == NO_FD)
		return false;
	copy_name(process->comm, task->comm); /* exec */
	return true;
}

#endif
