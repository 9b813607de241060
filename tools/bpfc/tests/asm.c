// SPDX-License-Identifier: GPL-2.0
/* The kernel tree's bpf_asm for many programs: reads programs that end with a NUL each, and prints what
 * bpf_asm -c prints, with a line "=STATUS" behind each. A process each, as bpf_asm keeps its state. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern void bpf_asm_compile(FILE *fp, bool cstyle);

int main(void)
{
	char *text = NULL;
	size_t space = 0;
	ssize_t len;
	int status;

	while ((len = getdelim(&text, &space, 0, stdin)) > 0) {
		pid_t child;

		fflush(stdout);
		child = fork();
		if (child == 0) {
			bpf_asm_compile(fmemopen(text, strlen(text), "r"), true);
			fflush(stdout);
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) < 0)
			return 1;
		printf("=%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 255);
	}
	return 0;
}
