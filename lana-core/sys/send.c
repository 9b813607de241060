// SPDX-License-Identifier: GPL-2.0
/* Datagrams that blocks send to other hosts, as programs do: by a connected UDP socket. */

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "helpers.h"

struct lana_send {
	struct socket *sock;
	struct sockaddr_storage to;
	int len;
	bool connected;
};

/* An address as Rust has it, which is mapped for IPv4. The length of what is written. */
static int lana_send_address(struct sockaddr_storage *to, const u8 address[16], u16 port, bool ipv6)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
	struct sockaddr_in *four = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (ipv6) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		memcpy(&six->sin6_addr, address, sizeof(six->sin6_addr));
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	memcpy(&four->sin_addr, address + 12, sizeof(four->sin_addr));
	return sizeof(*four);
}

/* Sleeps. `from` is null for the address of the route. */
struct lana_send *lana_send_new(struct net *net, const u8 *from, const u8 to[16], u16 port,
				bool ipv6, int *err)
{
	struct sockaddr_storage own;
	struct lana_send *s = kzalloc_obj(*s);
	int len;

	if (!s) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = sock_create_kern(net, ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM, IPPROTO_UDP, &s->sock);
	if (*err)
		goto free;
	s->len = lana_send_address(&s->to, to, port, ipv6);
	if (from) {
		len = lana_send_address(&own, from, 0, ipv6);
		*err = kernel_bind(s->sock, (void *)&own, len);
		if (*err)
			goto release;
	}
	return s;
release:
	sock_release(s->sock);
free:
	kfree(s);
	return NULL;
}

/* Sleeps. */
void lana_send_free(struct lana_send *s)
{
	sock_release(s->sock);
	kfree(s);
}

/* The route may come later than the socket, and become another one. */
static int lana_send_connect(struct lana_send *s)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int err;

	if (s->connected)
		return 0;
	kernel_connect(s->sock, (void *)&none, sizeof(none), 0);
	err = kernel_connect(s->sock, (void *)&s->to, s->len, 0);
	s->connected = !err;
	return err;
}

/*
 * Send a datagram; for one caller at a time. Does not wait for room. An error may be that of a datagram before this one,
 * which the other end has refused: then this one is sent all the same. Sleeps.
 */
int lana_send_one(struct lana_send *s, const void *data, size_t len)
{
	struct kvec vec = { .iov_base = (void *)data, .iov_len = len };
	int err = lana_send_connect(s), again;
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };

	if (err)
		return err;
	err = kernel_sendmsg(s->sock, &msg, &vec, 1, len);
	if (err >= 0)
		return 0;
	if (err == -EAGAIN || err == -EWOULDBLOCK || err == -ENOBUFS || err == -ENOMEM)
		return err;
	/* What an ICMP error has said is told once. */
	if (err != -ECONNREFUSED) {
		s->connected = false;
		if (lana_send_connect(s))
			return err;
	}
	msg = (struct msghdr){ .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	vec = (struct kvec){ .iov_base = (void *)data, .iov_len = len };
	again = kernel_sendmsg(s->sock, &msg, &vec, 1, len);
	if (again < 0)
		return again;
	return err;
}
