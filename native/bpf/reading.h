/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reading fields of kernel structs.
 *
 * Where the verifier knows the type of a pointer (TYPED: tp_btf) a field is simply loaded: get().
 * Elsewhere (raw_tp, kprobe) it takes a helper's call. The programs are compiled once for each.
 *
 * peek() is for pointers that may lead nowhere; then it gives 0. Since Linux 6.2 that need not be a
 * helper's call either: what is said to be of some type is loaded, and the kernel catches the fault.
 */
#ifndef READING_H
#define READING_H

#ifdef TYPED
#define get(from, field)      ((from)->field)
/* also for fields of which the kernel changed the width */
#define get_bits(from, field) BPF_CORE_READ_BITFIELD(from, field)
#define SEC_OF(tracepoint)    SEC("tp_btf/" tracepoint)
#define CAN_CAST              (bpf_rdonly_cast != 0)
#else
#define get(from, field)      BPF_CORE_READ(from, field)
#define get_bits(from, field) BPF_CORE_READ_BITFIELD_PROBED(from, field)
#define SEC_OF(tracepoint)    SEC("raw_tp/" tracepoint)
#define CAN_CAST              false
#endif

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/* A type that starts with eight bytes of no type: what is read of it may be used in any way. */
#define words_at(place) \
	((const struct timespec64 *)bpf_rdonly_cast((const void *)(place), \
						     bpf_core_type_id_kernel(struct timespec64)))

#define peek(from, field) ({ \
	typeof(from) peeked = (from); \
	CAN_CAST ? *(typeof(peeked->field) *)words_at(&peeked->field) : BPF_CORE_READ(peeked, field); \
})

static __always_inline __u64 number_at(const void *place)
{
	__u64 number = 0;

	if (CAN_CAST)
		return words_at(place)->tv_sec;
	bpf_probe_read_kernel(&number, sizeof(number), place);
	return number;
}

/* A text of 16 bytes that is filled up with zeros. */
static __always_inline void copy_name(char *to, const char *from)
{
	if (!CAN_CAST) {
		bpf_probe_read_kernel_str(to, 16, from);
		return;
	}
	((__u64 *)to)[0] = number_at(from);
	((__u64 *)to)[1] = number_at(from + 8);
}

/* Whether a full socket, of whatever kind, is one of TCP. */
static __always_inline bool is_tcp(const struct sock *sk)
{
	__u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	return (family == AF_INET || family == AF_INET6) &&
	       BPF_CORE_READ_BITFIELD_PROBED(sk, sk_type) == SOCK_STREAM &&
	       BPF_CORE_READ_BITFIELD_PROBED(sk, sk_protocol) == IPPROTO_TCP;
}

static __always_inline bool is_full(const struct sock_common *common)
{
	__u8 state = BPF_CORE_READ(common, skc_state);

	return state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

/* The TCP socket, or 0. */
static __always_inline const struct tcp_sock *tcp_sock_of(const struct sock *sk)
{
#ifdef TYPED
	return bpf_skc_to_tcp_sock((void *)sk);
#else
	return is_full(&sk->__sk_common) && is_tcp(sk) ? (const void *)sk : 0;
#endif
}

#endif
