// SPDX-License-Identifier: GPL-2.0-only
/// A test for NULL that is only reached where the value is known not to be NULL.
// Options: --no-includes --include-headers

virtual report

@returned exists@
expression e, f;
position p;
statement S;
@@

if (e == NULL) { ... when != e = f
	return ...; }
... when != e = f
    when != &e
    when != e++
    when != e--
    when != e += f
if@p (\(e == NULL\|e != NULL\)) S

@script:python depends on report@
p << returned.p;
e << returned.e;
@@

coccilib.report.print_report(p[0], "ERROR: %s is known not to be NULL" % e)

@jumped exists@
expression e, f;
identifier l;
position p;
statement S;
@@

if (e == NULL) { ... when != e = f
	goto l; }
... when != e = f
    when != &e
    when != e++
    when != e--
    when != e += f
if@p (\(e == NULL\|e != NULL\)) S

@script:python depends on report@
p << jumped.p;
e << jumped.e;
@@

coccilib.report.print_report(p[0], "ERROR: %s is known not to be NULL" % e)
