/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fills a hash map, with keys that nobody else uses: all ones, then a number. Prints `full`, and
 * takes them out again when its standard input ends.
 * usage: fill PIN
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_MAX 64
#define VALUE_MAX 256

static void key_of(__u64 number, unsigned char key[KEY_MAX], size_t size)
{
	memset(key, 0xff, KEY_MAX);
	memcpy(key + size - sizeof(number), &number, sizeof(number));
}

int main(int argc, char **argv)
{
	unsigned char key[KEY_MAX], value[VALUE_MAX] = { 0 };
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);
	__u64 count = 0;
	int map;

	map = argc == 2 ? bpf_obj_get(argv[1]) : -1;
	if (map < 0 || bpf_obj_get_info_by_fd(map, &info, &size) < 0 || info.key_size > KEY_MAX ||
	    info.key_size < 2 * sizeof(count) || info.value_size > VALUE_MAX) {
		perror("fill");
		return 2;
	}
	for (;; count++) {
		key_of(count, key, info.key_size);
		if (bpf_map_update_elem(map, key, value, BPF_NOEXIST) < 0)
			break;
	}
	if (errno != E2BIG) {
		perror(argv[1]);
		return 1;
	}
	puts("full");
	fflush(stdout);
	while (read(STDIN_FILENO, value, sizeof(value)) > 0)
		;
	while (count--) {
		key_of(count, key, info.key_size);
		if (bpf_map_delete_elem(map, key) < 0)
			return 1;
	}
	return 0;
}
