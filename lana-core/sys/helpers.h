/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the crate needs of the kernel's C side and cannot call itself: inline
 * functions and macros, and the statics that C initialises. A helper is a plain
 * wrapper; where it does more, it says so. Functions that the kernel exports have
 * none: lana-core/Kbuild lists those that Rust calls.
 */
#ifndef LANA_HELPERS_H
#define LANA_HELPERS_H

#include <linux/version.h>
/* scripts/kdir says so earlier; this is for who builds without it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 2, 0)
#error "LANA wants Linux 7.2 or newer"
#endif
#ifndef CONFIG_64BIT
#error "LANA does not support 32-bit kernels"
#endif
#ifdef CONFIG_PREEMPT_RT
#error "LANA does not support PREEMPT_RT: build for a kernel without it"
#endif

#include <linux/llist.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/genetlink.h>
#include <uapi/linux/lana.h>

struct bpf_prog;
struct xdp_buff;

/* How many times a packet may enter a graph, having left one before. */
#define LANA_ENTRY_LIMIT	64

/* How many packets go through a graph together, at most. */
#define LANA_BATCH		64U

/* The longest that a packet is made: as long as an IP packet can be. */
#define LANA_LEN_MAX		(65535 + 14)

/* A device has another address: no kind of event. Others that are none are U32_MAX. */
#define LANA_DEV_ADDRESS	0xfffffffeU

/* A checksum that covers bytes which change. */
#define LANA_SUM_PSEUDO		1	/* they are in a pseudo-header */
#define LANA_SUM_OPTIONAL	2	/* 0 says that there is none: UDP */

struct lana_sum {
	u32 at;
	u32 flags;
};

/* A device or a socket that has gone, and whose block is to go. */
struct lana_gone {
	struct llist_node node;
	u32 idp;
};

/* What a hooked device is hooked with begins with this. */
struct lana_hook {
	/* Not 0: what it receives does not go the shortest way. */
	union {
		u16 detours;
		struct {
			/* What it receives is collected. */
			bool batch;
			/* There are next hops on its link: the stack hears of neighbours, too. */
			bool neighbours;
		};
	};
	/* Somebody has replaced the program by which its frames enter. */
	bool displaced;
	/* How many next hops; under a lock of neigh.c. */
	u32 next_hops;
	/* Under RTNL. */
	struct list_head framed;
	struct lana_todo *todo;
	struct lana_gone gone;
};

/* A reference to a hooked device, which nobody waits for when it is given back. */
struct lana_held {
	struct rcu_work work;
	struct net_device *dev;
	/* Packets that it has received may wait. */
	bool batched;
};

/* Packets. */
struct sk_buff *lana_skb_unshare(struct sk_buff *skb);
bool lana_skb_may_pull(struct sk_buff *skb, unsigned int len);
int lana_skb_writable(struct sk_buff *skb, unsigned int len);
struct sk_buff *lana_skb_clone(struct sk_buff *skb);
struct sk_buff *lana_skb_make(const u8 *bytes, unsigned int len);
void lana_skb_free(struct sk_buff *skb, u32 why);
void lana_skb_consume(struct sk_buff *skb);
bool lana_skb_resize(struct sk_buff *skb, unsigned int len);
bool lana_skb_hold(struct sk_buff *skb, u32 *ifindex);
void lana_skb_resume(struct sk_buff *skb, struct net *net, u32 ifindex);
bool lana_skb_replace(struct sk_buff *skb, unsigned int offset, const u8 *bytes, unsigned int len,
		      const struct lana_sum *sums, unsigned int count);
u8 lana_skb_summed(const struct sk_buff *skb, u16 *sum);
bool lana_skb_complete(struct sk_buff *skb);
int lana_skb_checksum(const struct sk_buff *skb, unsigned int offset, unsigned int len);
bool lana_skb_read(const struct sk_buff *skb, unsigned int offset, void *to, unsigned int len);
u32 lana_skb_tag(const struct sk_buff *skb);
bool lana_skb_push_vlan(struct sk_buff *skb, u16 tci);
bool lana_skb_pop_vlan(struct sk_buff *skb);
bool lana_skb_set_vlan(struct sk_buff *skb, u16 tci);
int lana_skb_xmit(struct sk_buff *skb, struct net_device *dev);

/* Packets that become others: remake.c. */
bool lana_skb_is_super(const struct sk_buff *skb);
struct sk_buff *lana_skb_segment(struct sk_buff *skb);
bool lana_skb_tag_inside(struct sk_buff *skb);
void lana_skb_renew(struct sk_buff *skb);

/* Tunnels over UDP: udp.c. An address of IPv4 is one of IPv6 that is mapped. */
struct lana_udp;
struct lana_udp_path {
	u8 local[16];
	u8 remote[16];
	bool vxlan;
	u32 vni;
};

/* Where a packet came from and went to, and how often it has left a graph: in its control buffer, until it goes on. */
struct lana_outer {
	u8 source[16];
	u8 destination[16];
	u16 entries;
};

typedef void (*lana_udp_received)(void *data, struct sk_buff *skb);
struct lana_udp *lana_udp_new(struct net *net, u16 port, bool ipv6, lana_udp_received received,
			      void *data, int *err);
void lana_udp_free(struct lana_udp *udp);
int lana_udp_xmit(const struct lana_udp *udp, struct sk_buff *skb, const struct lana_udp_path *path);
bool lana_udp_open(struct sk_buff *skb, unsigned int len);
void lana_udp_outer(const struct sk_buff *skb, struct lana_outer *outer);

/* Compression: zstd.c. */
#define LANA_ZSTD_MOST		65535U

struct lana_zstd;
bool lana_zstd_there(void);
struct lana_zstd *lana_zstd_new(int level);
void lana_zstd_free(struct lana_zstd *zstd);
u32 lana_zstd_run(struct lana_zstd *zstd, bool compress, const u8 *from, u32 len, u8 *to, u32 room);

/* AES-GCM and HMAC-SHA256: crypto.c. */
#define LANA_AEAD_TAG		16

struct lana_aead;
bool lana_aead_there(void);
struct lana_aead *lana_aead_new(const u8 *key, size_t len, bool may_sleep);
void lana_aead_free(struct lana_aead *aead);
void lana_aead_seal(const struct lana_aead *aead, u8 *data, size_t len, u8 *tag, const u8 *ad,
		    size_t ad_len, const u8 *nonce);
bool lana_aead_open(const struct lana_aead *aead, u8 *data, size_t len, const u8 *tag,
		    const u8 *ad, size_t ad_len, const u8 *nonce);
void lana_hmac(const u8 *key, size_t len, const u8 *data, size_t data_len, u8 *out);
void lana_forget(void *data, size_t len);
int lana_random(void *data, size_t len);

/* For who watches: watch.c. */
extern u8 lana_watch_drops;
extern u8 lana_watch_hops;
void lana_dropped(u32 why, u32 idp, u32 hops, const struct net *net, const struct sk_buff *skb);
void lana_hopped(const struct net *net, const struct sk_buff *skb, u32 idp, u32 end, u32 detail);
void lana_changed(const struct net *net, u32 kind, const char *block, size_t len, u32 idp, u32 peer);
void lana_net_chores_all(void);

/* CPUs. gcc has an address space of its own for per-CPU pointers: casts go through an integer. */
static inline void __percpu *lana_percpu(void *base)
{
	return (void __percpu *)(__force unsigned long)base;
}

/* As lana_this_cpu_offset(), for C. */
static __always_inline unsigned long lana_cpu_offset(void)
{
	const unsigned long offset = (__force unsigned long)raw_cpu_ptr(lana_percpu(NULL));

	BUILD_BUG_ON(!IS_ENABLED(CONFIG_SMP) && offset);
	return offset;
}

void *lana_percpu_alloc(size_t size, size_t align);
void *lana_percpu_ptr(void *base, unsigned int cpu);
unsigned long lana_this_cpu_offset(void);
bool lana_cpu_possible(unsigned int cpu);

/* Time. */
u64 lana_time_coarse(void);

/* RCU. */
unsigned long lana_rcu_state(void);
void lana_rcu_wait(unsigned long state);

/* Other processes, and softirqs. */
void lana_cond_resched(void);
u64 lana_mem_available(void);
void lana_bh_disable(void);
void lana_bh_enable(void);

/* Work of blocks: work.c. */
struct lana_work;
typedef u64 (*lana_work_run)(void *data);
struct lana_work *lana_work_new(lana_work_run run, void *data);
void lana_work_kick(struct lana_work *w);
bool lana_work_free(struct lana_work *w);
void lana_on_cpu(unsigned int cpu, void (*f)(void *data), void *data);

/* Messages to other hosts: send.c. */
struct lana_send;
enum {
	LANA_SEND_WAIT,
	LANA_SEND_ROOM,
	LANA_SEND_NEW,
};
struct lana_send *lana_send_new(struct net *net, int protocol, const u8 *from, const u8 to[16],
				u16 port, bool ipv6, int *err);
void lana_send_free(struct lana_send *s);
int lana_send_look(struct lana_send *s);
int lana_send_one(struct lana_send *s, const void *head, size_t head_len, const void *body,
		  size_t body_len);

/* Modules. */
bool lana_module_get(struct module *module);
void lana_module_put(struct module *module);
const char *lana_module_name(struct module *module);
bool lana_module_coming(const struct module *module);
int lana_module_watch(void);
void lana_module_unwatch(void);
void lana_request_module(const char *prefix, const char *name);

/* Devices. */
void lana_dev_name(const struct net_device *dev, char name[IFNAMSIZ]);
u32 lana_dev_mtu(const struct net_device *dev);
void lana_dev_address(const struct net_device *dev, u8 address[ETH_ALEN]);
void lana_dev_hold(struct net_device *dev);
void lana_dev_put(struct net_device *dev);
struct lana_held *lana_dev_held(struct net_device *dev);
void lana_dev_put_held(struct lana_held *held);
const void *lana_dev_hooked(const struct net_device *dev);
const char *lana_dev_owner(const struct net_device *dev);
bool lana_dev_is_up(const struct net_device *dev);
u32 lana_dev_speed(struct net_device *dev);
void lana_dev_sent(struct net_device *dev, u64 sent[2]);
int lana_dev_hook(struct net_device *dev, struct lana_hook *hook, struct bpf_prog *prog);
void lana_dev_unhook(struct net_device *dev, struct lana_hook *hook);
void lana_dev_settle(void);
void lana_dev_detach(struct net_device *dev, struct lana_hook *hook);
void lana_hook_exit(void);
void lana_hook_set_batch(struct lana_hook *hook, bool batch);
struct lana_hook *lana_hook_rcu(const struct net_device *dev);
extern struct workqueue_struct *lana_wq;
extern struct notifier_block lana_netdev_notifier;

/* Packets that wait: batch.c. Bottom halves are off for those that add and run. */
DECLARE_PER_CPU(unsigned int, lana_batch_waiting);
void lana_batch_add(const struct lana_hook *hook, struct sk_buff *skb);
void lana_batch_run(void);
void lana_batch_flush(void);
void lana_batch_lost(struct sk_buff *skb);
rx_handler_result_t lana_give_back(struct sk_buff **pskb, struct sk_buff *skb);
int lana_batch_init(void);
void lana_batch_exit(void);

/* Frames: xdp.c. */

/*
 * What becomes of a frame that is to leave: a verdict, as sys/verdict.rs has them. It is read as
 * an int: the upper half of a long may be its sign, or zero.
 */
enum lana_verdict {
	LANA_VERDICT_ENDED = INT_MIN | 1 << 18,		/* with a reason */
	LANA_VERDICT_LEFT = INT_MIN | 1 << 19,		/* with what the driver is to do */
	LANA_VERDICT_AS_SKB = INT_MIN | 1 << 20,
};

/* The frame, where it is still there, and the verdict, in two registers. */
struct lana_said {
	struct xdp_buff *frame;
	long verdict;
};

struct bpf_prog *lana_xdp_attach(struct net_device *dev, char *why, size_t len, int *err);
void lana_xdp_set_hook(struct bpf_prog *prog, const struct lana_hook *hook);
bool lana_xdp_displaced(const struct bpf_prog *prog);
void lana_xdp_detach(struct net_device *dev, struct bpf_prog *prog);
struct sk_buff *lana_frame_skb(const struct xdp_buff *xdp);
u32 lana_frame_vlan(const struct xdp_buff *xdp);
bool lana_frame_push_vlan(struct xdp_buff *xdp, u16 tci);
bool lana_frame_pop_vlan(struct xdp_buff *xdp);
void lana_frame_up(struct sk_buff *skb);
unsigned int lana_frame_room(const struct xdp_buff *xdp);
struct lana_said lana_frame_xmit(struct xdp_buff *xdp, struct net_device *dev);
int lana_frame_xmit_skb(struct sk_buff *skb);
u32 lana_bpf_run_frame(const struct bpf_prog *prog, const struct xdp_buff *xdp);

/* Next hops: neigh.c. */
struct neighbour;
struct neighbour *lana_neigh_of(struct net_device *dev, const u8 *address, bool v6, bool create);
bool lana_neigh_has_v6(void);
void lana_neigh_join(struct net_device *dev);
void lana_neigh_leave(struct net_device *dev);
bool lana_neigh_resolve(struct net_device *dev, const u8 *address, bool v6,
			u8 addresses[2 * ETH_ALEN]);
u32 lana_neigh_state(struct net_device *dev, const u8 *address, bool v6, u8 ha[ETH_ALEN],
		     u64 *age);
void lana_neigh_solicit(struct net_device *dev, const u8 *address, bool v6);
void lana_neigh_suspect(struct net_device *dev, const u8 *address, bool v6);
int lana_neigh_xmit(struct sk_buff *skb, struct net_device *dev, const u8 *address, bool v6);
bool lana_neigh_hears(const struct sk_buff *skb);
void lana_neigh_frame(const struct xdp_buff *xdp);
int lana_neigh_register(void);
void lana_neigh_unregister(void);

/* Virtual devices: vdev.c. */
bool lana_dev_is_carrier(const struct net_device *dev);
struct net_device *lana_carrier_vdev(const struct net_device *dev, u8 id);
struct net_device *lana_vdev_new(struct net *net, const char *name);
int lana_vdev_register(struct net_device *dev, struct net_device *carrier, u8 id);
void lana_vdev_unregister(struct net_device *const *devs, size_t count);
int lana_link_register(void);
void lana_link_unregister(void);

/* The block of a socket. The graph outlives the socket, and so does what packets read of it. */
struct lana_sock_block {
	void *datapath;
	const void *slot;
	u32 idp;
	void *handle;			/* what packets come to it by */
	struct lana_gone gone;
};

/* Sockets: sock.c. */
struct lana_sock_info {
	u64 inode;
	u32 type;
	u32 uid;
	u32 rmem;
	u32 rcvbuf;
	u32 wmem;
	u32 ring;
	u32 drops;
};

int lana_sock_rcv(struct sock *sk, struct sk_buff *skb, u8 direction);
void lana_sock_hold(struct sock *sk);
void lana_sock_put(struct sock *sk);
void lana_sock_down(struct sock *sk);
void lana_sock_info(struct sock *sk, struct lana_sock_info *info);
u32 lana_sock_family(void);
int lana_sock_register(struct module *owner, int family);
void lana_sock_unregister(void);

/* Namespaces. */
void *lana_net_get(struct net *net);
void lana_net_alarm(struct net *net);
void lana_net_gone(struct net *net, struct lana_gone *gone, bool later);
bool lana_net_any_gone(struct net *net);
struct lana_gone *lana_net_take_gone(struct net *net);
struct lana_gone *lana_gone_next(const struct lana_gone *gone);
void lana_net_chores(struct net *net, bool later);
void lana_net_for_each(void *data);
int lana_net_register(void);
void lana_net_unregister(void);

/* procfs. */
struct proc_dir_entry *lana_proc_mkdir(struct net *net, const char *name,
				       struct proc_dir_entry *parent);
struct proc_dir_entry *lana_proc_single(const char *name, struct proc_dir_entry *parent,
					int (*show)(struct seq_file *, void *));
void *lana_proc_single_graph(struct seq_file *m);
struct proc_dir_entry *lana_proc_fblocks(struct proc_dir_entry *parent);
void *lana_proc_fblocks_graph(struct seq_file *m);
struct proc_dir_entry *lana_proc_fblock(const char *name, struct proc_dir_entry *parent,
					void *file);

/* Generic netlink. */
void lana_probe_closed(struct net *net, u32 portid);
int lana_genl_register(void);
void lana_genl_unregister(void);
struct net *lana_genl_net(struct genl_info *info);
u32 lana_genl_dump_portid(struct netlink_callback *cb);
struct net *lana_genl_dump_net(struct netlink_callback *cb);
struct nlattr **lana_genl_dump_attrs(struct netlink_callback *cb);
void lana_genl_dump_check(struct netlink_callback *cb, void *head);
struct sk_buff *lana_genl_new(size_t size);
struct sk_buff *lana_genl_new_atomic(size_t size);
u32 lana_genl_room(const struct sk_buff *skb);
int lana_genl_unicast(struct net *net, struct sk_buff *skb, u32 portid);
void lana_genl_end(struct sk_buff *skb, void *head);
void lana_genl_cancel(struct sk_buff *skb, void *head);
int lana_genl_reply(struct sk_buff *skb, struct genl_info *info);
void lana_genl_multicast(struct net *net, struct sk_buff *skb);
bool lana_genl_listeners(struct net *net);
void lana_genl_free(struct sk_buff *skb);
int lana_nla_put_uint(struct sk_buff *skb, u16 type, u64 value);
void *lana_nla_reserve(struct sk_buff *skb, u16 type, u32 len);
u64 lana_nla_get_uint(const struct nlattr *attr);
struct nlattr *lana_nla_nest(struct sk_buff *skb, u16 type);
void lana_nla_nest_end(struct sk_buff *skb, struct nlattr *nest);
void lana_nla_nest_cancel(struct sk_buff *skb, struct nlattr *nest);
const struct nlattr *lana_genl_attr(const struct genl_info *info, const struct nlattr *prev,
				    u16 type);
const struct nlattr *lana_nla_only(const struct nlattr *nest);
int lana_nla_parse(struct nlattr **tb, u32 max, const struct nlattr *nest);
void lana_extack_set(struct netlink_ext_ack *extack, const char *text, size_t len,
		     const struct nlattr *culprit);
void lana_extack_missing(struct netlink_ext_ack *extack, const struct nlattr *nest, u32 attr);

bool lana_is_admin(void);

/* BPF. */
u32 lana_bpf_run(const struct bpf_prog *prog, struct sk_buff *skb);
struct bpf_prog *lana_bpf_pinned(const char *path);
u32 lana_bpf_len(const struct bpf_prog *prog);
u32 lana_bpf_id(const struct bpf_prog *prog);
bool lana_bpf_jited(const struct bpf_prog *prog);

/* Called by C, written in Rust. */
rx_handler_result_t lana_receive(const struct lana_hook *hook, struct sk_buff *skb, u16 entries,
				 unsigned long cpu_offset, struct sk_buff **pskb);
u32 lana_receive_frame(const struct lana_hook *hook, struct xdp_buff *xdp,
		       unsigned long cpu_offset);
u32 lana_receive_parts(const struct lana_hook *hook, struct xdp_buff *xdp, u16 entries,
		       unsigned long cpu_offset);
void lana_receive_batch(const struct lana_hook *hook, struct sk_buff *list,
			unsigned long cpu_offset);
void lana_module_gone(struct module *module);
void *lana_graph_new(struct net *net);
void lana_graph_clear(void *graph);
void lana_graph_alarm(void *graph);
void lana_graph_chores(void *graph);
void lana_graph_free(void *graph);
void lana_graph_visit(void *graph, void *data);
void lana_dev_gone(const struct lana_hook *hook);
void lana_dev_event(const void *hook, struct net_device *dev, u32 kind);
int lana_sock_new(struct net *net, struct sock *sk, struct lana_sock_block *block);
void lana_sock_gone(struct lana_sock_block *block);
int lana_sock_rename(struct net *net, u32 idp, const char *name, size_t len);
void lana_sock_name(struct net *net, u32 idp, char *name);
int lana_sock_send(void *datapath, const void *slot, struct sk_buff *skb);
int lana_link_new(struct net *net, struct net_device *dev, struct net_device *carrier, int id,
		  struct netlink_ext_ack *extack);
int lana_show_ppe(struct seq_file *m, void *v);
int lana_show_vlink(struct seq_file *m, void *v);
int lana_show_sockets(struct seq_file *m, void *v);
int lana_show_family(struct seq_file *m, void *v);
void *lana_fblocks_start(struct seq_file *m, loff_t *pos);
void *lana_fblocks_next(struct seq_file *m, void *v, loff_t *pos);
void lana_fblocks_stop(struct seq_file *m, void *v);
int lana_fblocks_show(struct seq_file *m, void *v);
void *lana_fblock_open(void *file);
void lana_fblock_close(void *opened);
int lana_fblock_show(struct seq_file *m, bool admin);
loff_t lana_fblock_next(void *opened);
ssize_t lana_fblock_write(void *opened, const char __user *buf, size_t len, loff_t at);

#endif
