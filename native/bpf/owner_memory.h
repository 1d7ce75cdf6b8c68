/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is remembered of the processes that use a socket. A new connection starts with a copy of its
 * listener's memory. */
#ifndef OWNER_MEMORY_H
#define OWNER_MEMORY_H

#define NO_FD     0xffffffff
#define FD_CHUNK  16 /* tables of descriptors have whole chunks; the stack has no room for more */
#define MAX_CHUNKS 16

/* A process, so that no later one can be mistaken for it. */
struct process {
	__u64 task;       /* a thread of it; may be gone */
	__u64 started_ns; /* that thread */
	__u32 pid;
	__u32 fd;         /* under which it had the socket, or NO_FD */
	char comm[16];
	__u8 how;         /* enum tcpretrans_owner_how, for as long as it holds the socket */
};

struct owner_memory {
	__u64 sk;              /* whose memory this is: its own, or the listener's */
	__u64 file;
	struct process user;   /* last seen at work, or connecting, or listening */
	struct process holder; /* found by the last pass over all open files */
	struct process closer; /* sent the FIN */
	__u64 pass;            /* which pass that was, */
	__u64 passed_ns;       /* when, */
	__u64 references;      /* how many the file had, */
	__u64 found;           /* and how many of them are descriptors of processes */
	__u64 asked_ns;        /* when the reader was last asked, */
	__u64 asked_references; /* and how many the file had then */
	__u64 decided_ns;      /* when `user` was last found to be the owner */
	__u64 decided_references;
	__u8 decided_how;
	bool several;          /* it found several processes that hold the socket */
	bool threaded;         /* the one that it found has several threads */
	bool was_shared;       /* several held it since one was last seen at work on it alone */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct owner_memory);
} owner_memories SEC(".maps");

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
	if (!settings.has_storage)
		return find_or_add(&owner_memories_by_address, (unsigned long)sk, &empty_owner_memory);
	return bpf_sk_storage_get(&owner_memories, (void *)sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
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
	__u64 started_ns = BPF_CORE_READ(task, start_time);

	if (process->task != (unsigned long)task || process->started_ns != started_ns)
		process->fd = NO_FD;
	process->task = (unsigned long)task;
	process->started_ns = started_ns;
	process->pid = BPF_CORE_READ(task, tgid);
	process->how = how;
	bpf_probe_read_kernel_str(process->comm, sizeof(process->comm), &task->comm);
}

static __always_inline const struct task_struct *user_task(void)
{
	const struct task_struct *task = (const void *)bpf_get_current_task();

	return BPF_CORE_READ(task, flags) & PF_KTHREAD ? 0 : task;
}

/* How many descriptors and calls under way refer to a file; 0 = it is being closed. */
static __always_inline __u64 references(const struct file *file)
{
	const struct file___counted *older = (const void *)file;
	__u64 count;

	if (bpf_core_field_exists(older->f_count))
		count = BPF_CORE_READ(older, f_count.counter);
	else
		count = BPF_CORE_READ(file, f_ref.refcnt.counter) + 1;
	return count >> 31 ? 0 : count;
}

/* Looks for the file among the first descriptors of a process; a pass finds the higher ones. */
__noinline __u32 find_fd(unsigned long task_address, unsigned long file_address)
{
	const struct task_struct *task = (const void *)task_address;
	const struct file *file = (const void *)file_address;
	const struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = table ? BPF_CORE_READ(table, fd) : 0;
	__u32 max = table ? BPF_CORE_READ(table, max_fds) : 0;
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

	if (!task || BPF_CORE_READ(task, start_time) != process->started_ns ||
	    (__u32)BPF_CORE_READ(task, tgid) != process->pid)
		return false;
	if (process->fd == NO_FD || file_at(task, process->fd) != file)
		process->fd = find_fd((unsigned long)task, (unsigned long)file);
	if (process->fd == NO_FD)
		return false;
	bpf_probe_read_kernel_str(process->comm, sizeof(process->comm), &task->comm); /* exec */
	return true;
}

#endif
