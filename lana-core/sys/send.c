// SPDX-License-Identifier: GPL-2.0
/*
 * Messages that blocks send to other hosts, as programs do: by a connected UDP socket, or by a TCP or SCTP connection,
 * which is made again when it ends. Nothing here waits for the other end.
 */

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/jiffies.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sock.h>

#include "helpers.h"

/* How long a connection may take to come up, and how long it is from the end of one to the next attempt. */
#define LANA_SEND_COMES_UP (10 * HZ)
#define LANA_SEND_SHORTEST (HZ / 10)
#define LANA_SEND_LONGEST (30 * HZ)
/* How long, in milliseconds, TCP bears another end that confirms nothing, or has no room. */
#define LANA_SEND_PATIENCE 60000
/* What a connection may have in its buffer, with what the kernel takes for that. */
#define LANA_SEND_BUFFER (1 << 20)
/* The longest message of a connection. */
#define LANA_SEND_MOST 9000

struct lana_send {
	/* It keeps the memory of its namespace. */
	struct socket *sock;
	struct sockaddr_storage from, to;
	int from_len, to_len;
	int protocol;
	/* Whether UDP has a route, and whether a connection is up. */
	bool connected;
	/* The others are of connections. Whether it is coming up; whether its socket was one that has ended; and whether it is
	 * up, which nobody has been told.
	 */
	bool coming, over, is_new;
	/* When it began to come up, came up, or ended; and the pause after its end. */
	unsigned long since, pause;
	/* What is left of a message that was sent in part. */
	u8 *rest;
	size_t rest_at, rest_end;
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

static bool lana_send_is_stream(const struct lana_send *s)
{
	return s->protocol != IPPROTO_UDP;
}

/*
 * Close a socket. A connection goes on by itself until the other end has what is in the buffer, and knows of the end; the
 * namespace stays as long. In one that is about to go, the connection is broken off.
 */
static void lana_send_close(struct lana_send *s, struct socket *sock)
{
	struct net *net = sock_net(sock->sk);

	if (lana_send_is_stream(s)) {
		if (maybe_get_net(net)) {
			sk_net_refcnt_upgrade(sock->sk);
			put_net(net);
		} else {
			sock_no_linger(sock->sk);
		}
	}
	sock_release(sock);
}

static void lana_send_tune(struct sock *sk)
{
	bool is_tcp = sk->sk_protocol == IPPROTO_TCP;

	lock_sock(sk);
	sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	WRITE_ONCE(sk->sk_sndbuf, LANA_SEND_BUFFER);
	if (is_tcp)
		WRITE_ONCE(tcp_sk(sk)->notsent_lowat, U32_MAX);
	release_sock(sk);
	if (is_tcp) {
		inet_set_bit(BIND_ADDRESS_NO_PORT, sk);
		tcp_sock_set_user_timeout(sk, LANA_SEND_PATIENCE);
	}
}

/* Make a socket, in place of the one before. */
static int lana_send_open(struct lana_send *s, struct net *net)
{
	bool is_stream = lana_send_is_stream(s);
	struct socket *sock;
	int err;

	if (!maybe_get_net(net))
		return -ENODEV;
	err = sock_create_kern(net, s->to.ss_family, is_stream ? SOCK_STREAM : SOCK_DGRAM, s->protocol, &sock);
	if (err)
		goto put;
	if (is_stream)
		lana_send_tune(sock->sk);
	if (s->from_len)
		err = kernel_bind(sock, (void *)&s->from, s->from_len);
	if (!err) {
		swap(s->sock, sock);
		s->over = false;
	}
	if (sock)
		lana_send_close(s, sock);
put:
	put_net(net);
	return err;
}

/*
 * Sleeps. `from` is null for the address of the route. `protocol` is IPPROTO_UDP, IPPROTO_TCP or IPPROTO_SCTP. A connection
 * begins when somebody looks at it.
 */
struct lana_send *lana_send_new(struct net *net, int protocol, const u8 *from, const u8 to[16],
				u16 port, bool ipv6, int *err)
{
	struct lana_send *s = kzalloc_obj(*s);

	*err = -ENOMEM;
	if (!s)
		return NULL;
	s->protocol = protocol;
	s->to_len = lana_send_address(&s->to, to, port, ipv6);
	if (from)
		s->from_len = lana_send_address(&s->from, from, 0, ipv6);
	s->since = jiffies;
	if (lana_send_is_stream(s)) {
		s->rest = kmalloc(LANA_SEND_MOST, GFP_KERNEL);
		if (!s->rest)
			goto free;
	}
	*err = lana_send_open(s, net);
	if (!*err)
		return s;
	kfree(s->rest);
free:
	kfree(s);
	return NULL;
}

/* The route may come later than the socket, and become another one. */
static int lana_send_connect(struct lana_send *s)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int err;

	if (s->connected)
		return 0;
	kernel_connect(s->sock, (void *)&none, sizeof(none), 0);
	err = kernel_connect(s->sock, (void *)&s->to, s->to_len, 0);
	s->connected = !err;
	return err;
}

/* Whether it is only for now that nothing can be sent. */
static bool lana_send_is_busy(int err)
{
	return err == -EAGAIN || err == -EWOULDBLOCK || err == -ENOBUFS || err == -ENOMEM;
}

static int lana_send_pieces(struct lana_send *s, const struct kvec pieces[2])
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct kvec vec[2] = { pieces[0], pieces[1] };

	return kernel_sendmsg(s->sock, &msg, vec, 2, vec[0].iov_len + vec[1].iov_len);
}

/* The error that ICMP tells of is that of a datagram before this one, which is sent all the same: then it is positive. */
static int lana_send_datagram(struct lana_send *s, const struct kvec pieces[2])
{
	int err = lana_send_connect(s), again;

	if (err)
		return err;
	err = lana_send_pieces(s, pieces);
	if (err >= 0)
		return 0;
	if (lana_send_is_busy(err))
		return err;
	/* It is told once. */
	if (err != -ECONNREFUSED) {
		s->connected = false;
		if (lana_send_connect(s))
			return err;
	}
	again = lana_send_pieces(s, pieces);
	return again < 0 ? again : -err;
}

/* The connection is over. The pause before the next one gets longer, unless this one has lasted. */
static int lana_send_over(struct lana_send *s, int err)
{
	bool lasted = s->connected && time_after(jiffies, s->since + LANA_SEND_LONGEST);

	s->pause = lasted ? 0 : min(2 * s->pause, (unsigned long)LANA_SEND_LONGEST);
	s->pause = max(s->pause, (unsigned long)LANA_SEND_SHORTEST);
	s->since = jiffies;
	s->connected = s->coming = s->is_new = false;
	s->over = true;
	s->rest_at = s->rest_end = 0;
	/* If that fails, it is tried again. */
	lana_send_open(s, sock_net(s->sock->sk));
	return err;
}

/* What the other end sends is of no interest, but it is not to pile up; and its end is one of the connection. */
static int lana_send_ignore(struct lana_send *s)
{
	u8 bytes[256];
	int turns, got;

	for (turns = 0; turns < 64; turns++) {
		struct msghdr msg = {};
		struct kvec vec = { .iov_base = bytes, .iov_len = sizeof(bytes) };

		got = kernel_recvmsg(s->sock, &msg, &vec, 1, sizeof(bytes), MSG_DONTWAIT);
		if (got == -EAGAIN)
			break;
		if (got <= 0)
			return got ?: -EPIPE;
	}
	return 0;
}

/* Send what is left of a message. */
static int lana_send_rest(struct lana_send *s)
{
	struct kvec pieces[2] = {};
	int sent;

	if (s->rest_at == s->rest_end)
		return 0;
	pieces[0].iov_base = s->rest + s->rest_at;
	pieces[0].iov_len = s->rest_end - s->rest_at;
	sent = lana_send_pieces(s, pieces);
	if (sent < 0)
		return sent;
	s->rest_at += sent;
	return s->rest_at == s->rest_end ? 0 : -EAGAIN;
}

static int lana_send_begin(struct lana_send *s)
{
	int err = s->over ? lana_send_open(s, sock_net(s->sock->sk)) : 0;

	if (!err)
		err = kernel_connect(s->sock, (void *)&s->to, s->to_len, O_NONBLOCK);
	if (err && err != -EINPROGRESS)
		return lana_send_over(s, err);
	s->coming = true;
	s->since = jiffies;
	return LANA_SEND_WAIT;
}

/* Whether a connection has room: one that is up, with its buffer half empty. */
static int lana_send_room(struct lana_send *s)
{
	struct sock *sk = s->sock->sk;
	int err = lana_send_ignore(s);

	if (err)
		return err;
	if (s->coming) {
		if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
			return time_after(jiffies, s->since + LANA_SEND_COMES_UP) ? -ETIMEDOUT : -EAGAIN;
		s->coming = false;
		s->connected = s->is_new = true;
		s->since = jiffies;
	}
	err = lana_send_rest(s);
	if (err)
		return err;
	return READ_ONCE(sk->sk_wmem_queued) < READ_ONCE(sk->sk_sndbuf) / 2 ? 0 : -EAGAIN;
}

/*
 * See what has become of a connection, and go on with it: LANA_SEND_ROOM where it takes messages, LANA_SEND_NEW where it
 * does for the first time, and LANA_SEND_WAIT where it does not now. An error, once, where it has ended or did not come up.
 * For one caller at a time. Sleeps, but waits for nobody.
 */
int lana_send_look(struct lana_send *s)
{
	int err;

	if (!lana_send_is_stream(s))
		return LANA_SEND_ROOM;
	if (!s->connected && !s->coming)
		return time_before(jiffies, s->since + s->pause) ? LANA_SEND_WAIT : lana_send_begin(s);
	err = lana_send_room(s);
	if (lana_send_is_busy(err))
		return LANA_SEND_WAIT;
	if (err)
		return lana_send_over(s, err);
	if (!s->is_new)
		return LANA_SEND_ROOM;
	s->is_new = false;
	return LANA_SEND_NEW;
}

/* Bounds between messages stay: what does not fit of one goes before the next. */
static int lana_send_stream(struct lana_send *s, const struct kvec pieces[2])
{
	size_t len = pieces[0].iov_len + pieces[1].iov_len;
	int sent;

	if (!s->connected)
		return -ENOTCONN;
	if (len > LANA_SEND_MOST)
		return -EMSGSIZE;
	sent = lana_send_rest(s);
	if (!sent)
		sent = lana_send_pieces(s, pieces);
	if (sent < 0)
		return lana_send_is_busy(sent) ? sent : lana_send_over(s, sent);
	if (sent == len)
		return 0;
	memcpy(s->rest, pieces[0].iov_base, pieces[0].iov_len);
	memcpy(s->rest + pieces[0].iov_len, pieces[1].iov_base, pieces[1].iov_len);
	s->rest_at = sent;
	s->rest_end = len;
	return 0;
}

/*
 * Send a message, which is in two pieces; for one caller at a time. A positive error is that of an earlier one: this one was
 * sent. Sleeps, but does not wait for room.
 */
int lana_send_one(struct lana_send *s, const void *head, size_t head_len, const void *body,
		  size_t body_len)
{
	struct kvec pieces[2] = {
		{ .iov_base = (void *)head, .iov_len = head_len },
		{ .iov_base = (void *)body, .iov_len = body_len },
	};

	return lana_send_is_stream(s) ? lana_send_stream(s, pieces) : lana_send_datagram(s, pieces);
}

/* A message that was sent in part goes whole, for which there is room. Sleeps, but waits for nobody. */
void lana_send_free(struct lana_send *s)
{
	if (s->connected && s->rest_at != s->rest_end) {
		WRITE_ONCE(s->sock->sk->sk_sndbuf, 2 * LANA_SEND_BUFFER);
		lana_send_rest(s);
	}
	lana_send_close(s, s->sock);
	kfree(s->rest);
	kfree(s);
}
