// SPDX-License-Identifier: GPL-2.0
/* Inline functions and macros of the kernel, one wrapper each. See helpers.h. */

#include <linux/bottom_half.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "helpers.h"

/* CPUs. */

void *lana_percpu_alloc(size_t size, size_t align)
{
	return (void *)(__force unsigned long)__alloc_percpu(size, align);
}

void *lana_percpu_ptr(void *base, unsigned int cpu)
{
	return per_cpu_ptr(lana_percpu(base), cpu);
}

/* What, added to a per-CPU base, gives this CPU's part. Preemption is off. */
unsigned long lana_this_cpu_offset(void)
{
	return lana_cpu_offset();
}

bool lana_cpu_possible(unsigned int cpu)
{
	return cpu_possible(cpu);
}

/* Time. */

/* Nanoseconds that only go on with the tick, from the same beginning as those of the clock. */
u64 lana_time_coarse(void)
{
	return ktime_get_coarse_ns();
}

/* RCU. */

unsigned long lana_rcu_state(void)
{
	return get_state_synchronize_rcu();
}

/* Wait until all that read when `state` was taken have ended. */
void lana_rcu_wait(unsigned long state)
{
	cond_synchronize_rcu_expedited(state);
}

/* Other processes, and softirqs. */

void lana_cond_resched(void)
{
	cond_resched();
}

/* In bytes. */
u64 lana_mem_available(void)
{
	return (u64)max(si_mem_available(), 0L) << PAGE_SHIFT;
}

void lana_bh_disable(void)
{
	local_bh_disable();
}

void lana_bh_enable(void)
{
	local_bh_enable();
}

/* Not from Rust, as capable() is no function without CONFIG_MULTIUSER. */
bool lana_is_admin(void)
{
	return capable(CAP_NET_ADMIN);
}

/* BPF. */

u32 lana_bpf_run(const struct bpf_prog *prog, struct sk_buff *skb)
{
	return bpf_prog_run_save_cb(prog, skb);
}

/* The program that is pinned at this path in a BPF file system, if it is a socket filter. */
struct bpf_prog *lana_bpf_pinned(const char *path)
{
	return bpf_prog_get_type_path(path, BPF_PROG_TYPE_SOCKET_FILTER);
}

u32 lana_bpf_len(const struct bpf_prog *prog)
{
	return prog->len;
}

u32 lana_bpf_id(const struct bpf_prog *prog)
{
	return prog->aux->id;
}

bool lana_bpf_jited(const struct bpf_prog *prog)
{
	return prog->jited;
}
