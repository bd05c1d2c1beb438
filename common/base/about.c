/*
 * about.c - what this binary is made of
 * SPDX-License-Identifier: Apache-2.0
 */
#include "about.h"

const char about_version[] = LMC_VERSION;
const char about_commit[] = LMC_COMMIT;
const char about_packages[] = LMC_PACKAGES;

__asm__(".pushsection .rodata.about_licenses,\"a\"\n"
	".globl about_licenses, about_licenses_end\n"
	".hidden about_licenses, about_licenses_end\n"
	"about_licenses:\n"
	".incbin \"build/licenses.gz\"\n"
	"about_licenses_end:\n"
	".popsection\n");
