// SPDX-License-Identifier: GPL-2.0
/*
 * What a socket receives: its queue, and the ring that a program maps in its place.
 */

#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/vmalloc.h>

#include "sock.h"

#define LANA_RING_MAX	(256 << 20)
#define LANA_BLOCK	(1 << 20)
#define LANA_ALIGN	sizeof(struct lana_record)

/* --- Receiving: in softirq --- */

/* Whether anybody waits, or has asked to be told, as epoll does for who looks only then. */
static bool lana_sock_waits(struct sock *sk)
{
	struct socket_wq *wq = rcu_dereference(sk->sk_wq);

	return wq && (waitqueue_active(&wq->wait) || READ_ONCE(wq->fasync_list));
}

/*
 * Whether who waits for the ring is to be woken now that the bytes in it have become `used`
 * from `before`. If it was woken just now, the timer does it, and for all that comes until then.
 * With the receive queue's lock: who begins to wait does so, and then looks at the head with
 * that lock, in lana_sock_poll(). It may have read all there was before it was told of it, so
 * what it has read says nothing about what it knows.
 */
static bool lana_ring_wakes(struct lana_sock *ls, u64 before, u64 used)
{
	u64 much = ls->memory->size / 4;
	bool crowd = before < much && used >= much;
	ktime_t now, due;

	if ((ls->untold && !crowd) || !lana_sock_waits(&ls->sk))
		return false;
	now = ktime_get();
	due = ktime_add_us(ls->woken, READ_ONCE(ls->pause));
	ls->untold = now < due && !crowd;
	if (ls->untold)
		hrtimer_start(&ls->timer, due, HRTIMER_MODE_ABS_SOFT);
	else
		ls->woken = now;
	return !ls->untold;
}

enum hrtimer_restart lana_ring_timer(struct hrtimer *timer)
{
	struct lana_sock *ls = container_of(timer, struct lana_sock, timer);
	struct sock *sk = &ls->sk;
	bool wake;

	spin_lock(&sk->sk_receive_queue.lock);
	/* Unless it has read all that meanwhile. */
	wake = ls->untold && lana_ring_ready(ls);
	if (wake)
		ls->woken = ktime_get();
	ls->untold = false;
	spin_unlock(&sk->sk_receive_queue.lock);
	if (wake)
		sk->sk_data_ready(sk);
	return HRTIMER_NORESTART;
}

/* What LANA_AUXDATA and records say of the checksum, as PACKET_AUXDATA does. */
u8 lana_sock_flags(const struct sk_buff *skb)
{
	u8 flags = 0;

	if (skb->ip_summed == CHECKSUM_PARTIAL)
		flags |= LANA_CSUM_NOT_READY;
	else if (skb->pkt_type != PACKET_OUTGOING && skb_csum_unnecessary(skb))
		flags |= LANA_CSUM_VALID;
	if (skb_is_gso(skb) && skb_is_gso_tcp(skb))
		flags |= LANA_GSO_TCP;
	return flags;
}

/*
 * Put a packet into the ring, with the receive queue's lock held. Returns whether
 * there was room, and in `wake` whether the reader is to be woken.
 */
static bool lana_ring_put(struct lana_sock *ls, struct sk_buff *skb, u32 snaplen, u8 direction,
			  bool *wake)
{
	struct lana_memory *memory = ls->memory;
	u64 head = ls->head, used = head - READ_ONCE(memory->ring->lr_tail);
	u32 need = ALIGN(sizeof(struct lana_record) + snaplen, LANA_ALIGN), pad = 0;
	u32 at = head & (memory->size - 1), left = memory->block - (at & (memory->block - 1));
	struct lana_record *record = memory->blocks[at / LANA_BLOCK] + at % LANA_BLOCK;

	if (need > left)
		pad = left;
	/* The program can write anything there. */
	if (need > memory->block || used > memory->size || need + pad > memory->size - used)
		return false;
	if (pad) {
		*record = (struct lana_record){
			.lc_snaplen = pad - sizeof(*record),
			.lc_flags = LANA_RECORD_PAD,
		};
		at = (head + pad) & (memory->size - 1);
		record = memory->blocks[at / LANA_BLOCK];
	}
	*record = (struct lana_record){
		.lc_snaplen = snaplen,
		.lc_len = skb->len,
		.lc_time = sock_flag(&ls->sk, SOCK_RCVTSTAMP) ?
			   ktime_to_ns(skb_tstamp(skb) ?: ktime_get_real()) : 0,
		.lc_ifindex = skb->dev ? skb->dev->ifindex : 0,
		.lc_vlan_tci = skb_vlan_tag_present(skb) ? skb_vlan_tag_get(skb) : 0,
		.lc_vlan_tpid = skb_vlan_tag_present(skb) ? ntohs(skb->vlan_proto) : 0,
		.lc_flags = lana_sock_flags(skb),
		.lc_direction = direction,
		.lc_pkttype = skb->pkt_type,
		.lc_drops = sk_drops_read(&ls->sk),
	};
	if (skb_copy_bits(skb, 0, record + 1, snaplen))
		return false;
	ls->head = head + pad + need;
	smp_store_release(&memory->ring->lr_head, ls->head);
	*wake = lana_ring_wakes(ls, used, used + pad + need);
	return true;
}

/*
 * A packet arrives at the socket. Takes it in any case. Returns -1 when it is
 * queued, else the reason for its drop.
 */
int lana_sock_rcv(struct sock *sk, struct sk_buff *skb, u8 direction)
{
	struct lana_sock *ls = lana_sk(sk);
	enum lana_drop_reason why;
	struct sk_filter *filter;
	unsigned int snaplen;
	const struct ethhdr *eth;

	/* Memory that is left is for those by whom more is freed. */
	why = LANA_DROP_REASON_NO_MEMORY;
	if (skb_pfmemalloc(skb) && !sock_flag(sk, SOCK_MEMALLOC)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_PFMEMALLOCDROP);
		goto drop;
	}
	/* Pages of a program that sends: it may write there after the filter has looked. */
	if (unlikely(skb_orphan_frags_rx(skb, GFP_ATOMIC)))
		goto drop;
	why = LANA_DROP_REASON_MALFORMED;
	if (unlikely(!pskb_may_pull(skb, ETH_HLEN)))
		goto drop;
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	if (!skb->dev) {
		/* From another socket, which may have said when it is to be sent. */
		skb->tstamp = 0;
		skb->tstamp_type = SKB_CLOCK_REALTIME;
		skb->protocol = eth_hdr(skb)->h_proto;
		skb->pkt_type = PACKET_OUTGOING;
	}
	if (sk->sk_type == SOCK_DGRAM)
		__skb_pull(skb, ETH_HLEN);
	skb_reset_network_header(skb);

	snaplen = skb_frags_readable(skb) ? skb->len : skb_headlen(skb);
	filter = rcu_dereference(sk->sk_filter);
	if (filter) {
		unsigned int keep = bpf_prog_run_clear_cb(filter->prog, skb);

		why = LANA_DROP_REASON_FILTERED;
		if (!keep)
			goto drop;
		snaplen = min(snaplen, keep);
	}

	why = LANA_DROP_REASON_QUEUE_FULL;
	if (READ_ONCE(ls->memory)) {
		bool put, wake = false;

		spin_lock(&sk->sk_receive_queue.lock);
		put = ls->memory && lana_ring_put(ls, skb, snaplen, direction, &wake);
		if (put)
			ls->stats.ls_packets++;
		spin_unlock(&sk->sk_receive_queue.lock);
		if (!put)
			goto full;
		consume_skb(skb);
		if (wake)
			sk->sk_data_ready(sk);
		return -1;
	}

	eth = eth_hdr(skb);
	*lana_cb(skb) = (struct lana_skb_cb){
		.ifindex = skb->dev ? skb->dev->ifindex : 0,
		.len = skb->len,
		.protocol = eth->h_proto,
		.direction = direction,
		.pkttype = skb->pkt_type,
	};
	ether_addr_copy(lana_cb(skb)->addr, eth->h_source);
	if (atomic_read(&sk->sk_rmem_alloc) >= READ_ONCE(sk->sk_rcvbuf))
		goto full;
	if (unlikely(pskb_trim(skb, snaplen))) {
		why = LANA_DROP_REASON_NO_MEMORY;
		goto full;
	}
	skb_set_owner_r(skb, sk);
	skb->dev = NULL;
	skb_dst_drop(skb);
	nf_reset_ct(skb);
	spin_lock(&sk->sk_receive_queue.lock);
	ls->stats.ls_packets++;
	sock_skb_set_dropcount(sk, skb);
	skb_clear_delivery_time(skb);
	__skb_queue_tail(&sk->sk_receive_queue, skb);
	spin_unlock(&sk->sk_receive_queue.lock);
	sk->sk_data_ready(sk);
	return -1;

full:
	spin_lock(&sk->sk_receive_queue.lock);
	ls->stats.ls_packets++;
	ls->stats.ls_drops++;
	spin_unlock(&sk->sk_receive_queue.lock);
	sk_drops_inc(sk);
drop:
	lana_skb_free(skb, why);
	return why;
}

/* --- The ring --- */

void lana_memory_free(struct lana_memory *memory)
{
	u32 n;

	if (!memory)
		return;
	for (n = 0; n < memory->size / memory->block; n++) {
		if (is_vmalloc_addr(memory->blocks[n]))
			vfree(memory->blocks[n]);
		else
			free_pages_exact(memory->blocks[n], memory->block);
	}
	free_page((unsigned long)memory->ring);
	kfree(memory);
}

static struct lana_memory *lana_memory_alloc(u32 size)
{
	const gfp_t easily = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN | __GFP_NORETRY;
	u32 n, block = min(size, LANA_BLOCK);
	struct lana_memory *memory;

	memory = kzalloc_flex(*memory, blocks, size / block);
	if (!memory)
		return NULL;
	memory->block = block;
	memory->ring = (void *)get_zeroed_page(GFP_KERNEL);
	if (!memory->ring)
		goto free;
	for (n = 0; n < size / block; n++) {
		memory->blocks[n] = alloc_pages_exact(block, easily) ?: vzalloc(block);
		if (!memory->blocks[n])
			goto free;
		memory->size += block;
	}
	return memory;

free:
	lana_memory_free(memory);
	return NULL;
}

/* Bytes of the ring, 0 when there is none. */
u32 lana_ring_size(struct lana_sock *ls)
{
	u32 size;

	spin_lock_bh(&ls->sk.sk_receive_queue.lock);
	size = ls->memory ? ls->memory->size : 0;
	spin_unlock_bh(&ls->sk.sk_receive_queue.lock);
	return size;
}

int lana_sock_set_ring(struct lana_sock *ls, const struct lana_ring_req *req)
{
	struct sock *sk = &ls->sk;
	struct lana_memory *memory = NULL;

	/* A record has no room for who sent a datagram. */
	if (sk->sk_type != SOCK_RAW)
		return -EOPNOTSUPP;
	if (req->lr_flags)
		return -EINVAL;
	if (req->lr_size) {
		if (!is_power_of_2(req->lr_size) || req->lr_size < PAGE_SIZE ||
		    req->lr_size > LANA_RING_MAX)
			return -EINVAL;
		memory = lana_memory_alloc(req->lr_size);
		if (!memory)
			return -ENOMEM;
	}
	mutex_lock(&ls->ring_lock);
	if (atomic_read(&ls->mapped)) {
		mutex_unlock(&ls->ring_lock);
		lana_memory_free(memory);
		return -EBUSY;
	}
	spin_lock_bh(&sk->sk_receive_queue.lock);
	swap(ls->memory, memory);
	ls->head = 0;
	ls->untold = false;
	spin_unlock_bh(&sk->sk_receive_queue.lock);
	mutex_unlock(&ls->ring_lock);
	/* Who puts something in has the lock. */
	lana_memory_free(memory);
	return 0;
}

static void lana_sock_mm_open(struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;
	struct socket *sock = file->private_data;

	atomic_inc(&lana_sk(sock->sk)->mapped);
}

static void lana_sock_mm_close(struct vm_area_struct *vma)
{
	struct file *file = vma->vm_file;
	struct socket *sock = file->private_data;

	atomic_dec(&lana_sk(sock->sk)->mapped);
}

static const struct vm_operations_struct lana_sock_mmap_ops = {
	.open	= lana_sock_mm_open,
	.close	= lana_sock_mm_close,
};

static int lana_sock_map(struct vm_area_struct *vma, unsigned long at, void *memory, u32 size)
{
	struct page *page;
	u32 offset;
	int err;

	for (offset = 0; offset < size; offset += PAGE_SIZE) {
		page = is_vmalloc_addr(memory) ? vmalloc_to_page(memory + offset) :
						 virt_to_page(memory + offset);
		err = vm_insert_page(vma, at + offset, page);
		if (err)
			return err;
	}
	return 0;
}

int lana_sock_mmap(struct file *file, struct socket *sock, struct vm_area_struct *vma)
{
	struct lana_sock *ls = lana_sk(sock->sk);
	unsigned long at = vma->vm_start + PAGE_SIZE;
	struct lana_memory *memory;
	int err = -EINVAL;
	u32 n;

	if (vma->vm_pgoff)
		return -EINVAL;
	mutex_lock(&ls->ring_lock);
	memory = ls->memory;
	if (!memory || vma->vm_end - vma->vm_start != PAGE_SIZE + memory->size)
		goto unlock;
	err = lana_sock_map(vma, vma->vm_start, memory->ring, PAGE_SIZE);
	for (n = 0; !err && n < memory->size / memory->block; n++, at += memory->block)
		err = lana_sock_map(vma, at, memory->blocks[n], memory->block);
	if (!err) {
		atomic_inc(&ls->mapped);
		vma->vm_ops = &lana_sock_mmap_ops;
	}
unlock:
	mutex_unlock(&ls->ring_lock);
	return err;
}
