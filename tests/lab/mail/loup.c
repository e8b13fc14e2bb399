/*
 * loup: brings the loopback interface of a fresh network namespace up; with an argument, a second
 * network is this machine's own, too: NETWORK/LENGTH, each address of it as those of 127.0.0.0/8.
 *
 * A minimal Debian has neither ip(8) nor ifconfig(8).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int
up(int fd)
{
	struct ifreq ifr = {.ifr_name = "lo"};

	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -1;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &ifr);
}

static int
set(int fd, unsigned long what, uint32_t address)
{
	struct ifreq ifr = {.ifr_name = "lo:1"};
	struct sockaddr_in *in = (void *)&ifr.ifr_addr;

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(address);
	return ioctl(fd, what, &ifr);
}

/* The first address of the network becomes an alias; on loopback its network comes with it. */
static int
add_network(int fd, const char *text)
{
	struct in_addr network;
	int length = inet_net_pton(AF_INET, text, &network, sizeof(network));

	if (length < 8 || length > 30) {
		errno = EINVAL;
		return -1;
	}
	if (set(fd, SIOCSIFADDR, ntohl(network.s_addr) + 1) < 0)
		return -1;
	return set(fd, SIOCSIFNETMASK, UINT32_MAX << (32 - length));
}

int
main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = fd >= 0 && up(fd) == 0 && (argc < 2 || add_network(fd, argv[1]) == 0) ? 0 : 1;

	if (rc != 0)
		fprintf(stderr, "loup: lo: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}
