/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Virtual devices of LANA as a kind of link, "lana", of rtnetlink. */
#ifndef _UAPI_LINUX_LANA_LINK_H
#define _UAPI_LINUX_LANA_LINK_H

/* In IFLA_INFO_DATA. The carrier is IFLA_LINK. */
enum {
	IFLA_LANA_UNSPEC,
	IFLA_LANA_ID,		/* u8: frames of EtherType 0xac00 + id; the lowest free one if not given */
	__IFLA_LANA_MAX
};

#define IFLA_LANA_MAX	(__IFLA_LANA_MAX - 1)

#endif /* _UAPI_LINUX_LANA_LINK_H */
