/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/*
 * Sockets of LANA: each is a functional block, which programs send and
 * receive packets by. See Documentation/sockets.md.
 */
#ifndef _UAPI_LINUX_LANA_SOCKET_H
#define _UAPI_LINUX_LANA_SOCKET_H

#include <linux/socket.h>
#include <linux/types.h>

/*
 * The number of the address family, unless the module fb_pflana was loaded
 * with another one (parameter family=). /proc/net/lana/family says which it is.
 * The number is one that Linux has reserved (AF_ASH) and never used.
 */
#define AF_LANA			18
#define PF_LANA			AF_LANA

#define LANA_NAME_SIZE		32	/* the longest name of a block, and a NUL */
/* bind() to a name that begins so wants no CAP_NET_ADMIN. */
#define LANA_NAME_PREFIX	"socket:"

/*
 * The first members are those of struct sockaddr_ll, where recvmsg() and
 * sendmsg() use them as packet(7) says: a datagram goes to sl_addr under
 * sl_protocol, and gets the address of the device by which it leaves (so does any
 * packet whose source is 0). bind() and getsockname() use the name.
 */
struct sockaddr_lana {
	__kernel_sa_family_t	sl_family;	/* AF_LANA */
	__be16			sl_protocol;	/* EtherType */
	__s32			sl_ifindex;	/* the device it came by, 0 for none */
	__u16			sl_hatype;	/* ARPHRD_ETHER */
	__u8			sl_pkttype;	/* PACKET_HOST, ... */
	__u8			sl_halen;	/* 6 */
	__u8			sl_addr[8];	/* who sent it, or who is to get it */
	char			sl_name[LANA_NAME_SIZE];
};

/* The level of the options, and of the control messages. */
#define SOL_LANA		300

#define LANA_AUXDATA		1	/* int: a control message struct lana_auxdata with each packet */
#define LANA_STATISTICS		2	/* struct lana_stats, set back by being read; as PACKET_STATISTICS */
#define LANA_RX_RING		3	/* struct lana_ring_req: receive by shared memory from now on */
#define LANA_RING_PAUSE		4	/* int: microseconds, see struct lana_ring_req */

/* Which way a packet went through the graph. */
#define LANA_INGRESS		0
#define LANA_EGRESS		1

/* What is known of a packet's checksum: TP_STATUS_CSUMNOTREADY, ... of packet(7). */
#define LANA_CSUM_NOT_READY	2	/* it was left to a device to fill in: do not check it */
#define LANA_CSUM_VALID		4	/* it was found right */
#define LANA_GSO_TCP		8	/* segments of TCP, put together */

/* The control message LANA_AUXDATA. */
struct lana_auxdata {
	__u32	la_len;		/* bytes of the packet as it came, of a datagram without its header */
	__u32	la_snaplen;	/* bytes of that which were kept: a filter can cut it */
	__s32	la_ifindex;	/* the device it came by, 0 for none */
	__u16	la_vlan_tci;	/* the VLAN tag beside the data, with la_vlan_tpid not 0 */
	__u16	la_vlan_tpid;
	__u8	la_direction;	/* LANA_INGRESS or LANA_EGRESS */
	__u8	la_flags;	/* LANA_CSUM_NOT_READY, ... */
	__u8	la_pad[2];
};

struct lana_stats {
	__u32	ls_packets;	/* that came, those dropped included */
	__u32	ls_drops;	/* for which there was no room */
};

/*
 * A ring in shared memory, for SOCK_RAW. setsockopt(LANA_RX_RING) makes one of
 * lr_size bytes for records, a power of two from a page to 256 MiB; mmap() of a
 * page more than that maps first the page with struct lana_ring, then the
 * records. Positions count bytes and never go back; a record is at its position
 * modulo lr_size, and lies within one MiB: what is left before the end of the
 * ring, or of a MiB, is a record with LANA_RECORD_PAD. So one longer than half
 * of the ring may find no room in it.
 *
 * To receive: while (tail != load_acquire(&head)) { look at the record at
 * tail; tail += ALIGN(sizeof(struct lana_record) + lc_snaplen, 32) }, and
 * store_release(&tail) what has been looked at, and only then poll(), which waits
 * for the next one.
 *
 * poll() answers at once while there is anything. Who waits in it is woken by the
 * first packet, but not sooner than LANA_RING_PAUSE after the last time, unless a
 * quarter of the ring is full: so packets that come seldom are told of at once,
 * those that come fast many at a time, and none later than after that pause.
 * 100 unless set; 0 (no pause) to 1000000. The order of the records is not
 * touched by it, and a program that looks at the head sees each at once.
 */
struct lana_ring_req {
	__u32	lr_size;	/* bytes, 0 to go back to recvmsg() */
	__u32	lr_flags;	/* 0 */
};

struct lana_ring {
	__u64	lr_head;	/* the kernel writes: the end of what there is */
	__u64	lr_pad1[7];
	__u64	lr_tail;	/* the program writes: the end of what it is done with */
	__u64	lr_pad2[7];
};

#define LANA_RECORD_PAD		1

struct lana_record {
	__u32	lc_snaplen;	/* bytes that follow */
	__u32	lc_len;		/* bytes of the packet as it came */
	__u64	lc_time;	/* nanoseconds since 1970, 0 unless SO_TIMESTAMPNS is on */
	__s32	lc_ifindex;
	__u16	lc_vlan_tci;
	__u16	lc_vlan_tpid;
	__u16	lc_flags;	/* LANA_RECORD_PAD, or LANA_CSUM_NOT_READY, ... */
	__u8	lc_direction;
	__u8	lc_pkttype;
	__u32	lc_drops;	/* packets that found no room, from the first one on to this one */
};

#endif /* _UAPI_LINUX_LANA_SOCKET_H */
