" SPDX-License-Identifier: GPL-2.0
" Vim syntax file
" Language: classic BPF, as bpfc takes it

if exists("b:current_syntax")
  finish
endif

syntax case ignore
syntax match bpfLabel "\<\h\w*\ze\s*:"
syntax match bpfNumber "\<\%(0x\x\+\|0b[01]\+\|\d\+\)\>"
syntax match bpfExtension "#\s*\%(len\|proto\|type\|ifidx\|nlan\|nla\|mark\|queue\|hatype\|rxhash\|cpu\|xorx\)\>"
syntax match bpfExtension "#\s*\%(vlan_tci\|vlant\|vlan_avail\|vlan_pr\|vlanp\|poff\|rand\|vlan_tpid\|vlantpid\|vlan_proto\)\>"
syntax match bpfRegister "%\?\<[ax]\>"
syntax match bpfMemory "\<M\ze\s*\["
syntax keyword bpfLoad ld ldi ldh ldb ldx ldxi ldxb st stx tax txa
syntax keyword bpfJump jmp ja jeq jne jneq jgt jge jlt jle jset
syntax keyword bpfArithmetic add sub mul div mod neg and or xor lsh rsh
syntax keyword bpfReturn ret
syntax match bpfComment ";.*$"
syntax match bpfPreprocessor "^#.*$"
syntax region bpfComment start="/\*" end="\*/"

highlight default link bpfLabel Label
highlight default link bpfNumber Number
highlight default link bpfExtension Constant
highlight default link bpfRegister Identifier
highlight default link bpfMemory Identifier
highlight default link bpfLoad Statement
highlight default link bpfJump Conditional
highlight default link bpfArithmetic Operator
highlight default link bpfReturn Keyword
highlight default link bpfComment Comment
highlight default link bpfPreprocessor PreProc

let b:current_syntax = "bpf"
