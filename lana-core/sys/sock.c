// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets: each has a functional block, by which packets come to it and leave it.
 * What programs see follows packet(7); Documentation/sockets.md says where not.
 */

#include <linux/etherdevice.h>
#include <linux/filter.h>
#include <linux/if_arp.h>
#include <linux/net.h>
#include <linux/sockios.h>
#include <net/sock.h>
#include <asm/ioctls.h>

#include "sock.h"

#define LANA_PAUSE	100	/* microseconds, unless told */
#define LANA_PAUSE_MAX	USEC_PER_SEC

static struct proto lana_proto;
static const struct proto_ops lana_sock_ops;
static struct net_proto_family lana_family;

/* --- Calls --- */

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
	err = lana_sock_new(net, sk, &ls->block);
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

	if (!sk)
		return 0;
	/* Packets may come for a grace period; the block has a reference for as long. */
	lana_sock_gone(&lana_sk(sk)->block);
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

	if (len <= name)
		return -EINVAL;
	if (sl->sl_family != lana_family.family)
		return -EAFNOSUPPORT;
	return lana_sock_rename(sock_net(&ls->sk), ls->block.idp, sl->sl_name, len - name);
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
	lana_sock_name(sock_net(&ls->sk), ls->block.idp, sl->sl_name);
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

static int lana_sock_setsockopt(struct socket *sock, int level, int optname, sockptr_t optval,
				unsigned int optlen)
{
	struct lana_sock *ls = lana_sk(sock->sk);
	struct lana_ring_req req;
	int err, val;

	if (level != SOL_LANA)
		return -ENOPROTOOPT;
	switch (optname) {
	case LANA_AUXDATA:
		err = copy_safe_from_sockptr(&val, sizeof(val), optval, optlen);
		if (!err)
			WRITE_ONCE(ls->auxdata, !!val);
		return err;
	case LANA_RX_RING:
		err = copy_safe_from_sockptr(&req, sizeof(req), optval, optlen);
		return err ?: lana_sock_set_ring(ls, &req);
	case LANA_RING_PAUSE:
		err = copy_safe_from_sockptr(&val, sizeof(val), optval, optlen);
		if (!err && (val < 0 || val > LANA_PAUSE_MAX))
			err = -EINVAL;
		if (!err)
			WRITE_ONCE(ls->pause, val);
		return err;
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
	err = lana_sock_send(ls->block.datapath, ls->block.slot, skb);
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
			.la_flags = lana_sock_flags(skb),
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
