// SPDX-License-Identifier: GPL-2.0
/*
 * Tunnels over UDP: sockets of the kernel's, what they receive, and how a frame is sent by one. As drivers/net/vxlan has
 * it, but that a tunnel has no device. The payload is a frame, or a VXLAN header (RFC 7348) and a frame.
 */

#include <linux/if_vlan.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "helpers.h"
#include "skb.h"

#if IS_ENABLED(CONFIG_NET_UDP_TUNNEL) && IS_ENABLED(CONFIG_IPV6)

/* What udp_tunnel_sock_release() and setup_udp_tunnel_sock() take: the socket in older kernels, its inside in newer ones. */
#define lana_udp_of(s)									\
	__builtin_choose_expr(__builtin_types_compatible_p(typeof(&udp_tunnel_sock_release),	\
							   void (*)(struct sock *)),		\
			      (s)->sk, (s))

struct lana_vxlan {
	__be32 flags;
	__be32 vni;
};

#define LANA_VXLAN_VNI	htonl(0x08000000)

struct lana_udp {
	struct socket *sock;
	u16 port;
	bool ipv6;
	lana_udp_received received;
	void *data;
};

/* A softirq, in a read-side section. The data begins with the UDP header; its checksum is right. Takes the packet. */
static int lana_udp_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct lana_udp *udp = rcu_dereference_sk_user_data(sk);
	struct lana_outer outer = { .entries = lana_skb_entries(skb) };

	if (!udp || !pskb_may_pull(skb, sizeof(struct udphdr))) {
		kfree_skb(skb);
		return 0;
	}
	if (udp->ipv6) {
		memcpy(outer.source, &ipv6_hdr(skb)->saddr, sizeof(outer.source));
		memcpy(outer.destination, &ipv6_hdr(skb)->daddr, sizeof(outer.destination));
	} else {
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, (struct in6_addr *)outer.source);
		ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, (struct in6_addr *)outer.destination);
	}
	/* The parts of a super-packet come one by one, but linked. */
	skb_mark_not_on_list(skb);
	skb_pull_rcsum(skb, sizeof(struct udphdr));
	skb_scrub_packet(skb, false);
	__vlan_hwaccel_clear_tag(skb);
	skb_reset_mac_header(skb);
	skb_reset_mac_len(skb);
	BUILD_BUG_ON(sizeof(outer) > sizeof(skb->cb));
	memcpy(skb->cb, &outer, sizeof(outer));
	udp->received(udp->data, skb);
	return 0;
}

/* Sleeps. An error where the port is in use. */
struct lana_udp *lana_udp_new(struct net *net, u16 port, bool ipv6, lana_udp_received received,
			      void *data, int *err)
{
	struct udp_tunnel_sock_cfg tunnel = {
		.encap_type = 1,
		.encap_rcv = lana_udp_rcv,
	};
	struct udp_port_cfg config = {
		.family = ipv6 ? AF_INET6 : AF_INET,
		.local_udp_port = htons(port),
		.use_udp_checksums = 1,
		.use_udp6_tx_checksums = 1,
		.use_udp6_rx_checksums = 1,
		.ipv6_v6only = 1,
	};
	struct lana_udp *udp = kzalloc_obj(*udp);

	if (!udp) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = udp_sock_create(net, &config, &udp->sock);
	if (*err) {
		kfree(udp);
		return NULL;
	}
	udp->port = port;
	udp->ipv6 = ipv6;
	udp->received = received;
	udp->data = data;
	tunnel.sk_user_data = udp;
	setup_udp_tunnel_sock(net, lana_udp_of(udp->sock), &tunnel);
	return udp;
}

/* Nothing is received any more when this returns. Sleeps. */
void lana_udp_free(struct lana_udp *udp)
{
	udp_tunnel_sock_release(lana_udp_of(udp->sock));
	synchronize_net();
	kfree(udp);
}

/* The route to the other end, and the address of this host that goes with it. NULL where there is none. */
static struct dst_entry *lana_udp_route(const struct lana_udp *udp, struct sk_buff *skb,
					const struct lana_udp_path *path, __be16 from,
					struct in6_addr *saddr)
{
	struct sock *sk = udp->sock->sk;
	struct ip_tunnel_key key = {};
	__be16 to = htons(udp->port);
	struct dst_entry *dst;
	struct rtable *rt;

	if (udp->ipv6) {
		memcpy(&key.u.ipv6.dst, path->remote, sizeof(key.u.ipv6.dst));
		memcpy(&key.u.ipv6.src, path->local, sizeof(key.u.ipv6.src));
		dst = udp_tunnel6_dst_lookup(skb, NULL, sock_net(sk), sk, 0, saddr, &key, from, to, 0,
					     NULL);
		return IS_ERR(dst) ? NULL : dst;
	}
	memcpy(&key.u.ipv4.dst, path->remote + 12, sizeof(key.u.ipv4.dst));
	memcpy(&key.u.ipv4.src, path->local + 12, sizeof(key.u.ipv4.src));
	rt = udp_tunnel_dst_lookup(skb, NULL, sock_net(sk), 0, &saddr->s6_addr32[3], &key, from, to, 0,
				   NULL);
	return IS_ERR(rt) ? NULL : &rt->dst;
}

/*
 * Send a frame, which is not shared, is no super-packet, and has its checksum and its VLAN tag in it. A softirq, in a
 * read-side section. Takes the packet in any case. Returns -1 when it went, else the reason for its drop.
 */
int lana_udp_xmit(const struct lana_udp *udp, struct sk_buff *skb, const struct lana_udp_path *path)
{
	unsigned int head = sizeof(struct udphdr) + (path->vxlan ? sizeof(struct lana_vxlan) : 0);
	__be16 port = htons(udp->port), from = port;
	struct sock *sk = udp->sock->sk;
	struct in6_addr saddr, daddr;
	struct bpf_net_context *ctx;
	u16 entries = lana_skb_entries(skb);
	struct dst_entry *dst;
	int why;

	head += udp->ipv6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	if (skb->len > LANA_LEN_MAX - ETH_HLEN - head) {
		why = LANA_DROP_REASON_TOO_BIG;
		goto drop;
	}
	if (!pskb_may_pull(skb, ETH_HLEN)) {
		why = LANA_DROP_REASON_MALFORMED;
		goto drop;
	}
	lana_skb_renew(skb);
	/* Routers spread what is sent by the flows in the frames. */
	if (path->vxlan)
		from = udp_flow_src_port(sock_net(sk), skb, 0, 0, true);
	skb_orphan(skb);
	skb_scrub_packet(skb, true);
	skb->dev = NULL;
	skb->priority = 0;
	dst = lana_udp_route(udp, skb, path, from, &saddr);
	if (!dst) {
		why = LANA_DROP_REASON_DEVICE;
		goto drop;
	}
	if (skb_cow_head(skb, LL_RESERVED_SPACE(dst->dev) + dst->header_len + head)) {
		dst_release(dst);
		why = LANA_DROP_REASON_NO_MEMORY;
		goto drop;
	}
	lana_skb_set_entries(skb, entries + 1);
	if (path->vxlan) {
		struct lana_vxlan *vxlan = skb_push(skb, sizeof(*vxlan));

		vxlan->flags = LANA_VXLAN_VNI;
		vxlan->vni = htonl(path->vni << 8);
	}
	ctx = lana_take_net_ctx();
	/* What is longer than the path takes is sent in fragments: IPv4 has no DF, and IPv6 is told so. */
	if (udp->ipv6) {
		memcpy(&daddr, path->remote, sizeof(daddr));
		skb->ignore_df = 1;
		udp_tunnel6_xmit_skb(dst, sk, skb, NULL, &saddr, &daddr, 0, ip6_dst_hoplimit(dst), 0,
				     from, port, false, 0);
	} else {
		memcpy(&daddr.s6_addr32[3], path->remote + 12, sizeof(__be32));
		udp_tunnel_xmit_skb(dst_rtable(dst), sk, skb, saddr.s6_addr32[3], daddr.s6_addr32[3],
				    0, ip4_dst_hoplimit(dst), 0, from, port, false, false, 0);
	}
	lana_give_net_ctx(ctx);
	return -1;
drop:
	lana_skb_free(skb, why);
	return why;
}

/*
 * The frame of a packet that lana_udp_rcv() has received begins behind `len` bytes: they are cut off, and what is known of
 * the packet besides is that of the frame. It may be a super-packet: the stack's own tunnels send such ones to devices of
 * the same machine. False where it has no such bytes and an Ethernet header, and without memory.
 */
bool lana_udp_open(struct sk_buff *skb, unsigned int len)
{
	u16 entries = lana_skb_entries(skb);
	__be16 proto;

	if (len > LANA_LEN_MAX || !pskb_may_pull(skb, len + ETH_HLEN) || iptunnel_pull_offloads(skb))
		return false;
	/* A checksum before the frame that is to be filled in is forgotten here, too. */
	skb_pull_rcsum(skb, len);
	skb->csum_valid = 0;
	skb_clear_hash(skb);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	skb_reset_mac_len(skb);
	proto = eth_hdr(skb)->h_proto;
	skb->protocol = eth_proto_is_802_3(proto) ? proto : htons(ETH_P_802_2);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		skb_set_transport_header(skb, skb_checksum_start_offset(skb));
	else if (skb_is_gso(skb))
		skb_probe_transport_header(skb);
	lana_skb_set_entries(skb, entries);
	return true;
}

#else
struct lana_udp *lana_udp_new(struct net *net, u16 port, bool ipv6, lana_udp_received received,
			      void *data, int *err)
{
	*err = -EOPNOTSUPP;
	return NULL;
}

void lana_udp_free(struct lana_udp *udp)
{
}

int lana_udp_xmit(const struct lana_udp *udp, struct sk_buff *skb, const struct lana_udp_path *path)
{
	lana_skb_free(skb, LANA_DROP_REASON_DEVICE);
	return LANA_DROP_REASON_DEVICE;
}

bool lana_udp_open(struct sk_buff *skb, unsigned int len)
{
	return false;
}
#endif

/* What lana_udp_rcv() has written beside a packet. */
void lana_udp_outer(const struct sk_buff *skb, struct lana_outer *outer)
{
	memcpy(outer, skb->cb, sizeof(*outer));
}
