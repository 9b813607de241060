// SPDX-License-Identifier: GPL-2.0
/* procfs: the tables of operations, by which it calls Rust. */

#include <linux/capability.h>
#include <linux/proc_fs.h>
#include <linux/seq_file_net.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "helpers.h"

struct proc_dir_entry *lana_proc_mkdir(struct net *net, const char *name,
				       struct proc_dir_entry *parent)
{
	return proc_net_mkdir(net, name, parent ?: net->proc_net);
}

/* Who has one of these files open keeps its namespace. */
struct proc_dir_entry *lana_proc_single(const char *name, struct proc_dir_entry *parent,
					int (*show)(struct seq_file *, void *))
{
	return proc_create_net_single(name, 0444, parent, show, NULL);
}

void *lana_proc_single_graph(struct seq_file *m)
{
	return lana_net_get(seq_file_single_net(m));
}

static const struct seq_operations lana_fblocks_ops = {
	.start = lana_fblocks_start,
	.next = lana_fblocks_next,
	.stop = lana_fblocks_stop,
	.show = lana_fblocks_show,
};

struct proc_dir_entry *lana_proc_fblocks(struct proc_dir_entry *parent)
{
	return proc_create_net("fblocks", 0444, parent, &lana_fblocks_ops,
			       sizeof(struct seq_net_private));
}

void *lana_proc_fblocks_graph(struct seq_file *m)
{
	return lana_net_get(seq_file_net(m));
}

/* Positions of a file are where its parts begin. This one is behind the last. */
#define LANA_FBLOCK_END	LLONG_MAX

/* What a reader gets at once: most parts are shorter by far. */
#define LANA_FBLOCK_BUFFER	SZ_64K

static void *lana_fblock_proc_start(struct seq_file *m, loff_t *pos)
{
	return *pos < LANA_FBLOCK_END ? m : NULL;
}

static void *lana_fblock_proc_next(struct seq_file *m, void *v, loff_t *pos)
{
	*pos = lana_fblock_next(m->private);
	return lana_fblock_proc_start(m, pos);
}

static int lana_fblock_proc_show(struct seq_file *m, void *v)
{
	const struct net *net = proc_get_parent_data(file_inode(m->file));

	/* As netlink shows options. */
	return lana_fblock_show(m, file_ns_capable(m->file, net->user_ns, CAP_NET_ADMIN));
}

static const struct seq_operations lana_fblock_parts = {
	.start = lana_fblock_proc_start,
	.next = lana_fblock_proc_next,
	.stop = lana_fblocks_stop,
	.show = lana_fblock_proc_show,
};

static int lana_fblock_proc_open(struct inode *inode, struct file *file)
{
	/* The directory's data is its namespace, as proc_net_mkdir() has it. */
	struct net *net = maybe_get_net(proc_get_parent_data(inode));
	struct seq_file *m;
	void *opened;
	int err;

	if (!net)
		return -ENXIO;
	opened = lana_fblock_open(pde_data(inode));
	err = opened ? seq_open(file, &lana_fblock_parts) : -ENOMEM;
	if (err) {
		if (opened)
			lana_fblock_close(opened);
		put_net(net);
		return err;
	}
	m = file->private_data;
	m->private = opened;
	/* As single_open_size() does. Without it the file begins with a page, as any. */
	m->buf = kvmalloc(LANA_FBLOCK_BUFFER, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (m->buf)
		m->size = LANA_FBLOCK_BUFFER;
	return 0;
}

/* Nobody gets what this returns. It is also called when the block goes. */
static int lana_fblock_proc_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	lana_fblock_close(m->private);
	put_net(proc_get_parent_data(inode));
	return seq_release(inode, file);
}

static ssize_t lana_fblock_proc_write(struct file *file, const char __user *buf,
				      size_t len, loff_t *pos)
{
	struct seq_file *m = file->private_data;
	ssize_t done;

	/* As for netlink: root of a user namespace may not change a graph. */
	if (!file_ns_capable(file, &init_user_ns, CAP_NET_ADMIN))
		return -EPERM;
	mutex_lock(&m->lock);
	done = lana_fblock_write(m->private, buf, len, *pos);
	mutex_unlock(&m->lock);
	if (done > 0)
		*pos += done;
	return done;
}

static const struct proc_ops lana_fblock_ops = {
	.proc_open = lana_fblock_proc_open,
	.proc_read = seq_read,
	.proc_write = lana_fblock_proc_write,
	.proc_lseek = seq_lseek,
	.proc_release = lana_fblock_proc_release,
};

struct proc_dir_entry *lana_proc_fblock(const char *name, struct proc_dir_entry *parent,
					void *file)
{
	return proc_create_data(name, 0644, parent, &lana_fblock_ops, file);
}
