/*
 * about.h - what this binary is made of
 * SPDX-License-Identifier: Apache-2.0
 *
 * All of it is fixed at build time; the makefile takes the versions from what
 * is really linked.
 */
#ifndef ABOUT_H
#define ABOUT_H

extern const char about_version[];  /* "0.1.0" */
extern const char about_commit[];   /* "1a2b3c4d5e6f", "…-dirty" or "unknown" */
extern const char about_packages[]; /* lines "NAME VERSION\n" */

/* Names and texts of all licences, gzip. */
extern const char about_licenses[], about_licenses_end[];

#endif
