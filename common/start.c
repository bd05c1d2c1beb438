/* start.c - the first code of a static PIE: relocates it, then starts musl
 * SPDX-License-Identifier: Apache-2.0
 *
 * musl's own rcrt1.o does not know DT_RELR, which holds the same relocations
 * in a thirtieth of the space: 64 kB of the binary (System V ABI, "Relative
 * relocations"; musl 1.2.3). Nothing here may need a relocation itself, nor
 * the stack protector, which is not set up yet: see the makefile.
 */
#include <elf.h>
#include <stddef.h>
#include <stdint.h>

#ifndef DT_RELRSZ
#define DT_RELRSZ 35
#define DT_RELR   36
#endif

#if defined(__x86_64__)
__asm__(".pushsection .text,\"ax\",@progbits\n"
	".globl _start\n.type _start,@function\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call start_relocated\n"
	"	hlt\n"
	".popsection\n");
#elif defined(__aarch64__)
__asm__(".pushsection .text,\"ax\",@progbits\n"
	".globl _start\n.type _start,%function\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, sp\n"
	"	and sp, x0, #-16\n"
	"	b start_relocated\n"
	".popsection\n");
#endif

extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));

int  main(int argc, char **argv);
void _init(void);
void _fini(void);
int  __libc_start_main(int (*)(int, char **), int, char **, void (*)(void),
		       void (*)(void), void (*)(void));
void start_relocated(size_t *sp) __attribute__((visibility("hidden"), noreturn));

/* An even word is an address to relocate; an odd one is a bitmap of the 63
 * words behind the last. */
static void relr(char *base, const size_t *p, size_t bytes)
{
	size_t *at = NULL;

	for (const size_t *end = p + bytes / sizeof *p; p < end; p++) {
		if (!(*p & 1)) {
			at = (size_t *)(base + *p);
			*at++ += (size_t)base;
			continue;
		}
		for (size_t i = 0, bits = *p >> 1; bits; i++, bits >>= 1)
			if (bits & 1)
				at[i] += (size_t)base;
		at += 63;
	}
}

static void rela(char *base, const Elf64_Rela *p, size_t bytes)
{
	for (const Elf64_Rela *end = p + bytes / sizeof *p; p < end; p++)
		*(size_t *)(base + p->r_offset) = (size_t)base + (size_t)p->r_addend;
}

void start_relocated(size_t *sp)
{
	size_t tag[DT_RELR + 1];
	/* in a PIE the file's first byte is address 0 */
	char *base = (char *)(uintptr_t)__ehdr_start;

	for (int i = 0; i <= DT_RELR; i++)
		*(volatile size_t *)&tag[i] = 0;	/* not by memset */
	for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++)
		if (d->d_tag > 0 && d->d_tag <= DT_RELR)
			tag[d->d_tag] = d->d_un.d_val;
	if (tag[DT_RELR])
		relr(base, (const size_t *)(base + tag[DT_RELR]), tag[DT_RELRSZ]);
	if (tag[DT_RELA])
		rela(base, (const Elf64_Rela *)(base + tag[DT_RELA]), tag[DT_RELASZ]);
	__libc_start_main(main, (int)*sp, (char **)(sp + 1), _init, _fini, NULL);
	for (;;)
		;
}
