// SPDX-License-Identifier: GPL-2.0
/* Work that blocks have beside their packets: in process context, and on a CPU of their choice. */

#include <linux/bottom_half.h>
#include <linux/cpu.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "helpers.h"

struct lana_work {
	struct delayed_work work;
	lana_work_run run;
	void *data;
};

static void lana_work_do(struct work_struct *work)
{
	struct lana_work *w = container_of(to_delayed_work(work), struct lana_work, work);
	u64 next = w->run(w->data);

	/* Where somebody has wanted it meanwhile, it is queued already. */
	if (next != U64_MAX)
		queue_delayed_work(lana_wq, &w->work, nsecs_to_jiffies(next));
}

/* Sleeps. NULL without memory. It does not run before somebody wants it to. */
struct lana_work *lana_work_new(lana_work_run run, void *data)
{
	struct lana_work *w = kzalloc_obj(*w);

	if (!w)
		return NULL;
	INIT_DELAYED_WORK(&w->work, lana_work_do);
	w->run = run;
	w->data = data;
	return w;
}

/* Have it run now. Any context. */
void lana_work_kick(struct lana_work *w)
{
	mod_delayed_work(lana_wq, &w->work, 0);
}

/* It does not run any more when this returns true. False from within its own run, which then is the last. Sleeps. */
bool lana_work_free(struct lana_work *w)
{
	if (current_work() == &w->work.work) {
		disable_delayed_work(&w->work);
		return false;
	}
	disable_delayed_work_sync(&w->work);
	kfree(w);
	return true;
}

struct lana_on_cpu {
	void (*f)(void *data);
	void *data;
};

static long lana_on_cpu_run(void *arg)
{
	struct lana_on_cpu *on = arg;

	local_bh_disable();
	on->f(on->data);
	local_bh_enable();
	return 0;
}

/*
 * Call a function on a CPU, with bottom halves off; or here, while that CPU is offline, and stays so. For one caller at a
 * time. Sleeps.
 */
void lana_on_cpu(unsigned int cpu, void (*f)(void *data), void *data)
{
	struct lana_on_cpu on = { .f = f, .data = data };

	cpus_read_lock();
	if (cpu_online(cpu))
		work_on_cpu(cpu, lana_on_cpu_run, &on);
	else
		lana_on_cpu_run(&on);
	cpus_read_unlock();
}
