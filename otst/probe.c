// SPDX-License-Identifier: GPL-2.0
/*
 * The C side of otst: a kprobe that records the stack of one call, a worker that is woken then, and a
 * file of procfs. What is armed, and when it is taken back, Rust decides.
 *
 * A handler runs anywhere a function can be called from: with any lock held, in an interrupt, in the middle
 * of printk(). So it takes no lock, prints nothing, and has an irq_work wake the worker, which prints.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cleanup.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/nsproxy.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/stacktrace.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>

#include "probe.h"

#define OTST_DEPTH	64
/* A function's entry, its mark for indirect branches and the call of ftrace are shorter. */
#define OTST_ENTRY	32

enum { OTST_ARMED, OTST_RECORDING, OTST_RECORDED };

struct otst_probe {
	struct kprobe kp;
	struct otst_arg args[OTST_ARGS];
	/* Compared, never followed: it may be gone. */
	const struct net *net;
	atomic_t state;
	/* Written by the one call that is recorded, read when the state says that it is. */
	u32 values[OTST_ARGS];
	const char *context;
	int pid;
	unsigned int cpu;
	char comm[TASK_COMM_LEN];
	unsigned int depth;
	unsigned long stack[OTST_DEPTH];
	char symbol[];
};

static const struct otst_ops *otst_ops;
static void *otst_data;

static void otst_reap(struct work_struct *work)
{
	otst_ops->reap(otst_data);
}

static DECLARE_WORK(otst_work, otst_reap);

static void otst_wake(struct irq_work *work)
{
	schedule_work(&otst_work);
}

static DEFINE_IRQ_WORK(otst_irq_work, otst_wake);

static bool otst_asked_for(const struct otst_probe *probe, struct pt_regs *regs)
{
	for (unsigned int i = 0; i < OTST_ARGS; i++) {
		unsigned long value = regs_get_kernel_argument(regs, i);

		if (probe->args[i].ask == OTST_EQUALS && (u32)value != probe->args[i].value)
			return false;
		if (probe->args[i].ask == OTST_NETNS && value != (unsigned long)probe->net)
			return false;
	}
	return true;
}
NOKPROBE_SYMBOL(otst_asked_for);

static int otst_handler(struct kprobe *kp, struct pt_regs *regs)
{
	struct otst_probe *probe = container_of(kp, struct otst_probe, kp);

	if (!otst_asked_for(probe, regs) ||
	    atomic_cmpxchg(&probe->state, OTST_ARMED, OTST_RECORDING) != OTST_ARMED)
		return 0;
	for (unsigned int i = 0; i < OTST_ARGS; i++)
		probe->values[i] = regs_get_kernel_argument(regs, i);
	/* Not in_hardirq() and in_task(): the trap of a kprobe counts as an NMI. */
	probe->context = hardirq_count() ? "interrupt" : in_serving_softirq() ? "softirq" : "process";
	probe->cpu = raw_smp_processor_id();
	probe->pid = current->pid;
	/* One that is being renamed: the end of its name is still there. */
	memcpy(probe->comm, current->comm, TASK_COMM_LEN);
	probe->depth = stack_trace_save(probe->stack, OTST_DEPTH, 0);
	atomic_set_release(&probe->state, OTST_RECORDED);
	irq_work_queue(&otst_irq_work);
	return 0;
}
NOKPROBE_SYMBOL(otst_handler);

/* An error pointer where the symbol is unknown (ENOENT) or may not be probed. */
struct otst_probe *otst_probe_arm(const char *symbol, const struct otst_arg args[OTST_ARGS])
{
	size_t size = strlen(symbol) + 1;
	struct otst_probe *probe = kzalloc(struct_size(probe, symbol, size), GFP_KERNEL);
	int err;

	if (!probe)
		return ERR_PTR(-ENOMEM);
	memcpy(probe->symbol, symbol, size);
	memcpy(probe->args, args, sizeof(probe->args));
	probe->net = current->nsproxy->net_ns;
	probe->kp.symbol_name = probe->symbol;
	probe->kp.pre_handler = otst_handler;
	err = register_kprobe(&probe->kp);
	if (err) {
		kfree(probe);
		return ERR_PTR(err);
	}
	return probe;
}

/* Waits until no handler of it runs. */
void otst_probe_disarm(struct otst_probe *probe)
{
	unregister_kprobe(&probe->kp);
	kfree(probe);
}

bool otst_probe_recorded(const struct otst_probe *probe)
{
	return atomic_read_acquire(&probe->state) == OTST_RECORDED;
}

/* Of a recorded one. */
void otst_probe_log(const struct otst_probe *probe, const char *symbol)
{
	unsigned long entry = (unsigned long)probe->kp.addr;
	unsigned int first = 0;

	/* What is above the function is how kprobes came to call us. */
	for (unsigned int i = 0; i < probe->depth; i++) {
		if (probe->stack[i] - entry < OTST_ENTRY)
			first = i;
	}
	pr_info("triggered stacktrace for symbol %s at 0x%p:\n", symbol, probe->kp.addr);
	pr_info("Pid: %d, comm: %.*s, cpu: %u, context: %s\n", probe->pid, TASK_COMM_LEN, probe->comm,
		probe->cpu, probe->context);
	for (unsigned int i = 0; i < OTST_ARGS; i++) {
		if (probe->args[i].ask == OTST_PRINT)
			pr_info("Argument: $%u=%u\n", i + 1, probe->values[i]);
	}
	pr_info("Call Trace:\n");
	for (unsigned int i = first; i < probe->depth; i++)
		pr_info(" %pB\n", (void *)probe->stack[i]);
	pr_info("End of trace for symbol %s\n", symbol);
}

void otst_worker_start(const struct otst_ops *ops, void *data)
{
	otst_ops = ops;
	otst_data = data;
}

/* When no probe is armed any more: nobody wakes it. */
void otst_worker_stop(void)
{
	irq_work_sync(&otst_irq_work);
	cancel_work_sync(&otst_work);
}

static int otst_allowed(void)
{
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	return security_locked_down(LOCKDOWN_KPROBES);
}

static int otst_show(struct seq_file *m, void *v)
{
	otst_ops->show(otst_data, m);
	return 0;
}

static int otst_open(struct inode *inode, struct file *file)
{
	return otst_allowed() ?: single_open(file, otst_show, NULL);
}

/* Whoever opened the file may have handed it on. */
static ssize_t otst_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	int err = otst_allowed() ?: otst_ops->write(otst_data, buf, len);

	return err ?: len;
}

static const struct proc_ops otst_file = {
	.proc_open = otst_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = otst_write,
};

static struct proc_dir_entry *otst_entry;

int otst_file_add(void)
{
	otst_entry = proc_create("driver/otst", 0600, NULL, &otst_file);
	return otst_entry ? 0 : -ENOMEM;
}

/* Waits for the handlers that run. */
void otst_file_remove(void)
{
	proc_remove(otst_entry);
}
