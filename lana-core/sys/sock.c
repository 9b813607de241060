// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets: each has a functional block, by which packets come to it and leave it.
 * What programs see follows packet(7); Documentation/sockets.md says where not.
 */

#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/hrtimer.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/mm.h>
#include <linux/net.h>
#include <linux/sockios.h>
#include <linux/vmalloc.h>
#include <net/ip.h>
#include <net/sock.h>
#include <asm/ioctls.h>

#include <uapi/linux/lana.h>
#include <uapi/linux/lana_socket.h>
#include "helpers.h"

#define LANA_RING_MAX	(256 << 20)
#define LANA_BLOCK	(1 << 20)
#define LANA_ALIGN	sizeof(struct lana_record)
#define LANA_PAUSE	100	/* microseconds, unless told */
#define LANA_PAUSE_MAX	USEC_PER_SEC

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
	/* The block: the graph outlives the socket. */
	void *graph;
	const void *slot;
	u32 idp;
	void *handle;			/* what packets come to it by */
	struct lana_gone gone;
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

static struct lana_sock *lana_sk(struct sock *sk)
{
	return container_of(sk, struct lana_sock, sk);
}

static struct lana_skb_cb *lana_cb(struct sk_buff *skb)
{
	sock_skb_cb_check_size(sizeof(struct lana_skb_cb));
	return (struct lana_skb_cb *)skb->cb;
}

static struct proto lana_proto;
static const struct proto_ops lana_sock_ops;
static struct net_proto_family lana_family;

/* --- Receiving: in softirq --- */

/* Whether there is something in the ring; with the receive queue's lock held. */
static bool lana_ring_ready(struct lana_sock *ls)
{
	return ls->memory && READ_ONCE(ls->memory->ring->lr_tail) != ls->head;
}

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

static enum hrtimer_restart lana_ring_timer(struct hrtimer *timer)
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
static u8 lana_skb_flags(const struct sk_buff *skb)
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
		.lc_flags = lana_skb_flags(skb),
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

/* --- Calls --- */

static void lana_memory_free(struct lana_memory *memory)
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

static void lana_sock_destruct(struct sock *sk)
{
	struct lana_sock *ls = lana_sk(sk);

	/* SOCK_RCU_FREE: no packet comes any more, so none starts it again. */
	hrtimer_cancel(&ls->timer);
	skb_queue_purge(&sk->sk_receive_queue);
	skb_queue_purge(&sk->sk_error_queue);
	WARN_ON(atomic_read(&sk->sk_rmem_alloc));
	WARN_ON(refcount_read(&sk->sk_wmem_alloc));
	lana_memory_free(ls->memory);
}

static int lana_sock_create(struct net *net, struct socket *sock, int protocol, int kern)
{
	struct lana_sock *ls;
	struct sock *sk;
	int err;

	/* As for netlink: root of a user namespace may not change a graph. */
	if (!capable(CAP_NET_RAW))
		return -EPERM;
	if (sock->type != SOCK_RAW && sock->type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol)
		return -EPROTONOSUPPORT;
	sk = sk_alloc(net, lana_family.family, GFP_KERNEL, &lana_proto, kern);
	if (!sk)
		return -ENOBUFS;
	sock_init_data(sock, sk);
	sk->sk_family = lana_family.family;
	sk->sk_destruct = lana_sock_destruct;
	/* Packets on their way may come to it until a grace period after the last reference. */
	sock_set_flag(sk, SOCK_RCU_FREE);
	ls = lana_sk(sk);
	mutex_init(&ls->ring_lock);
	ls->pause = LANA_PAUSE;
	hrtimer_setup(&ls->timer, lana_ring_timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	err = lana_sock_new(net, sk, &ls->graph, &ls->slot, &ls->idp, &ls->handle);
	if (err) {
		sock_orphan(sk);
		sock->sk = NULL;
		sock_put(sk);
		return err;
	}
	sock->ops = &lana_sock_ops;
	sock->state = SS_UNCONNECTED;
	sock_prot_inuse_add(net, &lana_proto, 1);
	return 0;
}

static int lana_sock_release(struct socket *sock)
{
	struct sock *sk = sock->sk;
	struct lana_sock *ls;

	if (!sk)
		return 0;
	ls = lana_sk(sk);
	ls->gone.idp = ls->idp;
	/* Packets may come for a grace period; the block has a reference for as long. */
	lana_sock_gone(ls->graph, ls->handle, &ls->gone);
	sock_prot_inuse_add(sock_net(sk), &lana_proto, -1);
	sock_orphan(sk);
	sock->sk = NULL;
	skb_queue_purge(&sk->sk_receive_queue);
	sock_put(sk);
	return 0;
}

static int lana_sock_bind(struct socket *sock, struct sockaddr_unsized *addr, int len)
{
	const struct sockaddr_lana *sl = (const void *)addr;
	const int name = offsetof(struct sockaddr_lana, sl_name);
	struct lana_sock *ls = lana_sk(sock->sk);
	int err;

	if (len <= name)
		return -EINVAL;
	if (sl->sl_family != lana_family.family)
		return -EAFNOSUPPORT;
	len = min_t(int, len - name, LANA_NAME_SIZE);
	/* Names of devices and of blocks are the administrator's; no device's name has a colon. */
	if ((len < strlen(LANA_NAME_PREFIX) ||
	     memcmp(sl->sl_name, LANA_NAME_PREFIX, strlen(LANA_NAME_PREFIX))) &&
	    !capable(CAP_NET_ADMIN))
		return -EPERM;
	err = lana_sock_rename(ls->graph, ls->idp, sl->sl_name, strnlen(sl->sl_name, len));
	return err == -EEXIST ? -EADDRINUSE : err;
}

static int lana_sock_getname(struct socket *sock, struct sockaddr *addr, int peer)
{
	struct sockaddr_lana *sl = (void *)addr;
	struct lana_sock *ls = lana_sk(sock->sk);

	if (peer)
		return -EOPNOTSUPP;
	*sl = (struct sockaddr_lana){
		.sl_family = lana_family.family,
		.sl_hatype = ARPHRD_ETHER,
	};
	lana_sock_name(ls->graph, ls->idp, sl->sl_name);
	return sizeof(*sl);
}

static __poll_t lana_sock_poll(struct file *file, struct socket *sock, poll_table *wait)
{
	struct sock *sk = sock->sk;
	struct lana_sock *ls = lana_sk(sk);
	__poll_t mask = datagram_poll(file, sock, wait);

	spin_lock_bh(&sk->sk_receive_queue.lock);
	if (lana_ring_ready(ls))
		mask |= EPOLLIN | EPOLLRDNORM;
	spin_unlock_bh(&sk->sk_receive_queue.lock);
	return mask;
}

static int lana_sock_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct sock *sk = sock->sk;
	struct sk_buff *skb;
	int amount = 0;

	switch (cmd) {
	case SIOCOUTQ:
		amount = sk_wmem_alloc_get(sk);
		break;
	case SIOCINQ:
		spin_lock_bh(&sk->sk_receive_queue.lock);
		skb = skb_peek(&sk->sk_receive_queue);
		if (skb)
			amount = skb->len;
		spin_unlock_bh(&sk->sk_receive_queue.lock);
		break;
	default:
		return -ENOIOCTLCMD;
	}
	return put_user(amount, (int __user *)arg);
}

/* Bytes of the ring, 0 when there is none. */
static u32 lana_ring_size(struct lana_sock *ls)
{
	u32 size;

	spin_lock_bh(&ls->sk.sk_receive_queue.lock);
	size = ls->memory ? ls->memory->size : 0;
	spin_unlock_bh(&ls->sk.sk_receive_queue.lock);
	return size;
}

static int lana_sock_set_ring(struct lana_sock *ls, const struct lana_ring_req *req)
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

static int lana_sock_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
				unsigned int optlen)
{
	struct lana_sock *ls = lana_sk(sock->sk);
	struct lana_ring_req req;
	int val;

	if (level != SOL_LANA)
		return -ENOPROTOOPT;
	switch (optname) {
	case LANA_AUXDATA:
		if (optlen < sizeof(val))
			return -EINVAL;
		if (copy_from_sockptr(&val, optval, sizeof(val)))
			return -EFAULT;
		WRITE_ONCE(ls->auxdata, !!val);
		return 0;
	case LANA_RX_RING:
		if (optlen < sizeof(req))
			return -EINVAL;
		if (copy_from_sockptr(&req, optval, sizeof(req)))
			return -EFAULT;
		return lana_sock_set_ring(ls, &req);
	case LANA_RING_PAUSE:
		if (optlen < sizeof(val))
			return -EINVAL;
		if (copy_from_sockptr(&val, optval, sizeof(val)))
			return -EFAULT;
		if (val < 0 || val > LANA_PAUSE_MAX)
			return -EINVAL;
		WRITE_ONCE(ls->pause, val);
		return 0;
	}
	return -ENOPROTOOPT;
}

static int lana_sock_getsockopt(struct socket *sock, int level, int optname, sockopt_t *opt)
{
	struct sock *sk = sock->sk;
	struct lana_sock *ls = lana_sk(sk);
	struct lana_ring_req req = {};
	struct lana_stats stats;
	const void *data;
	int size, val;

	if (level != SOL_LANA)
		return -ENOPROTOOPT;
	if (opt->optlen < 0)
		return -EINVAL;
	switch (optname) {
	case LANA_AUXDATA:
		val = READ_ONCE(ls->auxdata);
		data = &val;
		size = sizeof(val);
		break;
	case LANA_STATISTICS:
		spin_lock_bh(&sk->sk_receive_queue.lock);
		stats = ls->stats;
		ls->stats = (struct lana_stats){};
		spin_unlock_bh(&sk->sk_receive_queue.lock);
		data = &stats;
		size = sizeof(stats);
		break;
	case LANA_RX_RING:
		req.lr_size = lana_ring_size(ls);
		data = &req;
		size = sizeof(req);
		break;
	case LANA_RING_PAUSE:
		val = READ_ONCE(ls->pause);
		data = &val;
		size = sizeof(val);
		break;
	default:
		return -ENOPROTOOPT;
	}
	opt->optlen = min(opt->optlen, size);
	return copy_to_iter(data, opt->optlen, &opt->iter_out) == opt->optlen ? 0 : -EFAULT;
}

static int lana_sock_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)
{
	DECLARE_SOCKADDR(const struct sockaddr_lana *, sl, msg->msg_name);
	const int known = offsetof(struct sockaddr_lana, sl_addr) + ETH_ALEN;
	const int header = sock->type == SOCK_DGRAM ? ETH_HLEN : 0;
	size_t linear, reserve = LL_MAX_HEADER + NET_SKB_PAD;
	struct sock *sk = sock->sk;
	struct lana_sock *ls = lana_sk(sk);
	struct sockcm_cookie sockc;
	struct sk_buff *skb;
	struct ethhdr *eth;
	int err;

	if (sl) {
		if (msg->msg_namelen < known || sl->sl_halen > sizeof(sl->sl_addr))
			return -EINVAL;
		if (sl->sl_family != lana_family.family)
			return -EAFNOSUPPORT;
	}
	if (header && !sl)
		return -EDESTADDRREQ;
	if (header + len > LANA_LEN_MAX)
		return -EMSGSIZE;
	if (header + len < ETH_HLEN || !len)
		return -EINVAL;
	sockcm_init(&sockc, sk);
	if (msg->msg_controllen) {
		err = sock_cmsg_send(sk, msg, &sockc);
		if (err)
			return err;
	}

	/* In one piece if it fits into a page. */
	linear = reserve + header + len < PAGE_SIZE ? len : min_t(size_t, len, ETH_HLEN);
	skb = sock_alloc_send_pskb(sk, reserve + header + linear, len - linear,
				   msg->msg_flags & MSG_DONTWAIT, &err, PAGE_ALLOC_COSTLY_ORDER);
	if (!skb)
		return err;
	skb_reserve(skb, reserve);
	if (header) {
		eth = skb_put(skb, header);
		ether_addr_copy(eth->h_dest, sl->sl_addr);
		/* The device by which it leaves puts its own there. */
		eth_zero_addr(eth->h_source);
		eth->h_proto = sl->sl_protocol;
	}
	skb_put(skb, linear);
	skb->data_len = len - linear;
	skb->len += len - linear;
	err = skb_copy_datagram_from_iter(skb, header, &msg->msg_iter, len);
	if (err) {
		kfree_skb(skb);
		return err;
	}
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb->protocol = eth_hdr(skb)->h_proto;
	skb->priority = sockc.priority;
	skb->mark = sockc.mark;
	skb_set_delivery_type_by_clockid(skb, sockc.transmit_time, sk->sk_clockid);

	local_bh_disable();
	rcu_read_lock();
	err = lana_sock_send(ls->graph, ls->slot, skb);
	rcu_read_unlock();
	local_bh_enable();
	return err ?: len;
}

static int lana_sock_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)
{
	struct sock *sk = sock->sk;
	struct lana_skb_cb *cb;
	struct sk_buff *skb;
	size_t copied;
	int err;

	if (flags & ~(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC | MSG_CMSG_COMPAT))
		return -EINVAL;
	/* The short way, when there is something. */
	skb = flags & MSG_PEEK ? NULL : skb_dequeue(&sk->sk_receive_queue);
	if (!skb)
		skb = skb_recv_datagram(sk, flags, &err);
	if (!skb)
		return err;
	copied = skb->len;
	if (copied > len) {
		copied = len;
		msg->msg_flags |= MSG_TRUNC;
	}
	if (!skb_is_nonlinear(skb))
		err = copy_to_iter(skb->data, copied, &msg->msg_iter) == copied ? 0 : -EFAULT;
	else
		err = skb_copy_datagram_msg(skb, 0, msg, copied);
	if (err)
		goto free;
	cb = lana_cb(skb);
	sock_recv_cmsgs(msg, sk, skb);
	if (msg->msg_name) {
		struct sockaddr_lana sl = {
			.sl_family = sk->sk_family,
			.sl_protocol = cb->protocol,
			.sl_ifindex = cb->ifindex,
			.sl_hatype = ARPHRD_ETHER,
			.sl_pkttype = cb->pkttype,
			.sl_halen = ETH_ALEN,
		};

		ether_addr_copy(sl.sl_addr, cb->addr);
		memcpy(msg->msg_name, &sl, sizeof(sl));
		msg->msg_namelen = sizeof(sl);
	}
	if (READ_ONCE(lana_sk(sk)->auxdata)) {
		struct lana_auxdata aux = {
			.la_len = cb->len,
			.la_snaplen = skb->len,
			.la_ifindex = cb->ifindex,
			.la_direction = cb->direction,
			.la_flags = lana_skb_flags(skb),
		};

		if (skb_vlan_tag_present(skb)) {
			aux.la_vlan_tci = skb_vlan_tag_get(skb);
			aux.la_vlan_tpid = ntohs(skb->vlan_proto);
		}
		put_cmsg(msg, SOL_LANA, LANA_AUXDATA, sizeof(aux), &aux);
	}
	err = flags & MSG_TRUNC ? skb->len : copied;
free:
	skb_free_datagram(sk, skb);
	return err;
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

static int lana_sock_mmap(struct file *file, struct socket *sock, struct vm_area_struct *vma)
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

static const struct proto_ops lana_sock_ops = {
	.owner		= THIS_MODULE,
	.release	= lana_sock_release,
	.bind		= lana_sock_bind,
	.connect	= sock_no_connect,
	.socketpair	= sock_no_socketpair,
	.accept		= sock_no_accept,
	.getname	= lana_sock_getname,
	.poll		= lana_sock_poll,
	.ioctl		= lana_sock_ioctl,
	.gettstamp	= sock_gettstamp,
	.listen		= sock_no_listen,
	.shutdown	= sock_no_shutdown,
	.setsockopt	= lana_sock_setsockopt,
	.getsockopt_iter = lana_sock_getsockopt,
	.sendmsg	= lana_sock_sendmsg,
	.recvmsg	= lana_sock_recvmsg,
	.mmap		= lana_sock_mmap,
};

static struct proto lana_proto = {
	.name		= "LANA",
	.owner		= THIS_MODULE,
	.obj_size	= sizeof(struct lana_sock),
};

/* --- For Rust --- */

void lana_sock_hold(struct sock *sk)
{
	sock_hold(sk);
}

void lana_sock_put(struct sock *sk)
{
	sock_put(sk);
}

/* The device went by which packets came and left. As packet sockets, it says so once. */
void lana_sock_down(struct sock *sk)
{
	WRITE_ONCE(sk->sk_err, ENETDOWN);
	sk_error_report(sk);
}

void lana_sock_info(struct sock *sk, struct lana_sock_info *info)
{
	*info = (struct lana_sock_info){
		.inode = sock_i_ino(sk),
		.type = sk->sk_type,
		.uid = from_kuid_munged(&init_user_ns, sk_uid(sk)),
		.rmem = atomic_read(&sk->sk_rmem_alloc),
		.rcvbuf = READ_ONCE(sk->sk_rcvbuf),
		.wmem = sk_wmem_alloc_get(sk),
		.ring = lana_ring_size(lana_sk(sk)),
		.drops = sk_drops_read(sk),
	};
}

/* The number of the address family, 0 when there is none. */
u32 lana_sock_family(void)
{
	return READ_ONCE(lana_family.family);
}

int lana_sock_register(struct module *owner, int family)
{
	int err;

	if (family <= 0 || family >= NPROTO)
		return -EAFNOSUPPORT;
	err = proto_register(&lana_proto, 0);
	if (err)
		return err;
	lana_family = (struct net_proto_family){
		.family	= family,
		.create	= lana_sock_create,
		.owner	= owner,
	};
	err = sock_register(&lana_family);
	if (err) {
		WRITE_ONCE(lana_family.family, 0);
		proto_unregister(&lana_proto);
	}
	return err;
}

void lana_sock_unregister(void)
{
	sock_unregister(lana_family.family);
	WRITE_ONCE(lana_family.family, 0);
	proto_unregister(&lana_proto);
}
