" SPDX-License-Identifier: GPL-2.0
autocmd BufRead,BufNewFile *.bpf setfiletype bpf
