/*
 * loup: brings the loopback interface of a fresh network namespace up.
 *
 * A minimal Debian has neither ip(8) nor ifconfig(8).
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int
main(void)
{
	struct ifreq ifr = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = 1;

	if (fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) == 0) {
		ifr.ifr_flags |= IFF_UP;
		rc = ioctl(fd, SIOCSIFFLAGS, &ifr) == 0 ? 0 : 1;
	}
	if (rc != 0)
		fprintf(stderr, "loup: lo: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}
