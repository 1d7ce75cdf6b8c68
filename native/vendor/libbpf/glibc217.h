/* SPDX-License-Identifier: BSD-2-Clause */
/* Put before every C file (-include) of the self-contained build, so that the result runs on
 * glibc 2.17 and later whatever glibc it was built with. It includes nothing: each source chooses
 * its own feature macros first. */
#define fstat    retrans_fstat     /* an inline of glibc < 2.33, fstat@GLIBC_2.33 since */
#define fmemopen retrans_fmemopen  /* got a new version with glibc 2.22 */
