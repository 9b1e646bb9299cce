/* SPDX-License-Identifier: BSD-2-Clause */
/* libflowner from C++: who owns my own end of a descriptor? */
#include <cstdio>
#include <flowner/flowner.h>

int main(int argc, char **argv)
{
	flowner_options options = flowner_options();
	flowner *handle;
	flowner_flow flow;

	options.size = sizeof(options);
	if (argc == 3) {
		options.pin_dir = argv[1];
		options.socket = argv[2];
	}
	int r = flowner_open(&options, &handle);
	if (r < 0) {
		std::printf("%s: %s\n", flowner_version(), flowner_strerror(r));
		return 1;
	}
	r = flowner_find_fd(handle, 0, &flow);
	std::printf("%s: %s\n", flowner_version(), flowner_strerror(r));
	flowner_close(handle);
	return 0;
}
