/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of sockets share: sock.c and sock-ring.c. */
#ifndef LANA_SOCK_H
#define LANA_SOCK_H

#include <linux/hrtimer.h>
#include <net/ip.h>
#include <net/sock.h>

#include <uapi/linux/lana_socket.h>
#include "helpers.h"

/*
 * The memory of a ring. Blocks lie in one piece, if there is such memory: they are
 * then written through the kernel's own, large pages. As programs map them, they are
 * single pages.
 */
struct lana_memory {
	struct lana_ring *ring;
	u32 size;
	u32 block;			/* bytes of each */
	void *blocks[];
};

struct lana_sock {
	struct sock sk;
	struct lana_sock_block block;
	bool auxdata;
	/* Making, mapping and giving up a ring: not the socket's lock, which others hold over memory. */
	struct mutex ring_lock;
	atomic_t mapped;
	u32 pause;			/* microseconds */
	/* With the receive queue's lock: */
	struct lana_stats stats;
	struct lana_memory *memory;
	u64 head;
	ktime_t woken;			/* when the reader was, for the last time */
	bool untold;			/* it may be asleep, and shall be woken by the timer */
	struct hrtimer timer;
};

/* What a queued packet carries. */
struct lana_skb_cb {
	s32 ifindex;
	u32 len;
	__be16 protocol;
	u8 addr[ETH_ALEN];
	u8 direction;
	u8 pkttype;
};

static inline struct lana_sock *lana_sk(struct sock *sk)
{
	return container_of(sk, struct lana_sock, sk);
}

static inline struct lana_skb_cb *lana_cb(struct sk_buff *skb)
{
	sock_skb_cb_check_size(sizeof(struct lana_skb_cb));
	return (struct lana_skb_cb *)skb->cb;
}

/* Whether there is something in the ring; with the receive queue's lock held. */
static inline bool lana_ring_ready(struct lana_sock *ls)
{
	return ls->memory && READ_ONCE(ls->memory->ring->lr_tail) != ls->head;
}

/* sock-ring.c */
u8 lana_sock_flags(const struct sk_buff *skb);
enum hrtimer_restart lana_ring_timer(struct hrtimer *timer);
void lana_memory_free(struct lana_memory *memory);
u32 lana_ring_size(struct lana_sock *ls);
int lana_sock_set_ring(struct lana_sock *ls, const struct lana_ring_req *req);
int lana_sock_mmap(struct file *file, struct socket *sock, struct vm_area_struct *vma);

#endif
