// SPDX-License-Identifier: GPL-2.0
/*
 * Turns lockdep off until the next boot. In User Mode Linux with several CPUs, disabling interrupts is a
 * system call, and lockdep does that twice for each lock that is taken or given back: tests run ten times
 * as fast without it. The kernel has no parameter for this.
 */
#include <linux/debug_locks.h>
#include <linux/module.h>

static int __init lockdep_off_init(void)
{
	debug_locks_off();
	return 0;
}
module_init(lockdep_off_init);

MODULE_DESCRIPTION("Turns lockdep off");
MODULE_LICENSE("GPL");
