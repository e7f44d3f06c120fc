// SPDX-License-Identifier: Apache-2.0
#include "lib/tc_attach.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/syscall.h>

#include "lib/netlink.h"

enum { TCX_INGRESS = 46, TCX_EGRESS = 47, LINK_TYPE_TCX = 11 };

/* struct bpf_link_info as far as TCX fills it: its union is aligned to 8 bytes. */
struct link_info {
	uint32_t type, id, prog_id, pad;
	uint32_t ifindex, attach_type;
};

static int sys_bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	int r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : r;
}

int tc_open_pin(const char *path)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path };

	return sys_bpf(BPF_OBJ_GET, &attr); /* the kernel sets close-on-exec on every descriptor of bpf(2) */
}

static uint32_t attach_type(bool ingress)
{
	return ingress ? TCX_INGRESS : TCX_EGRESS;
}

/* Opens the pin when it is a TCX link alive on that interface and side: fd, or -ENOENT for none or another. */
static int open_link(uint32_t ifindex, bool ingress, const char *pin_path)
{
	_cleanup_close_ int fd = tc_open_pin(pin_path);
	struct link_info info = {};
	union bpf_attr attr = {};
	int r;

	if (fd < 0)
		return fd;
	attr.info.bpf_fd = fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	r = sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr);
	if (r < 0 || info.type != LINK_TYPE_TCX || info.ifindex != ifindex || info.attach_type != attach_type(ingress))
		return -ENOENT;
	return TAKE_FD(fd);
}

static int link_update(int link_fd, int prog_fd)
{
	union bpf_attr attr = { .link_update = { .link_fd = link_fd, .new_prog_fd = prog_fd } };

	return sys_bpf(BPF_LINK_UPDATE, &attr);
}

int tc_link(int prog_fd, uint32_t ifindex, bool ingress)
{
	union bpf_attr attr = { .link_create = { .prog_fd = prog_fd, .target_fd = ifindex } };

	attr.link_create.attach_type = attach_type(ingress);
	return sys_bpf(BPF_LINK_CREATE, &attr);
}

static int pin(int fd, const char *path)
{
	union bpf_attr attr = { .pathname = (uintptr_t)path, .bpf_fd = fd };
	int r = sys_bpf(BPF_OBJ_PIN, &attr);

	if (r != -EEXIST) /* else the pin of a link whose interface has gone */
		return r;
	return unlink(path) < 0 ? -errno : sys_bpf(BPF_OBJ_PIN, &attr);
}

static struct tcmsg *tc_request(struct nl_batch *b, uint16_t type, uint16_t flags, uint32_t ifindex, const char *what)
{
	struct tcmsg *tc = nl_begin(b, type, flags, sizeof(*tc), what);

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = ifindex;
	return tc;
}

void tc_put_clsact(struct nl_batch *b, uint32_t ifindex)
{
	struct tcmsg *tc = tc_request(b, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, ifindex, "add the clsact qdisc");

	tc->tcm_parent = TC_H_CLSACT;
	tc->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	nl_put_str(b, TCA_KIND, "clsact");
	nl_tolerate(b, EEXIST);
}

static void put_filter(struct nl_batch *b, uint16_t type, uint16_t flags, uint32_t ifindex, bool ingress,
		       const char *what)
{
	struct tcmsg *tc = tc_request(b, type, flags, ifindex, what);

	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
	tc->tcm_handle = 1;
	tc->tcm_info = TC_H_MAKE(1 << 16, htons(ETH_P_ALL)); /* priority 1, every protocol */
	nl_put_str(b, TCA_KIND, "bpf");
}

void tc_put_filter(struct nl_batch *b, uint32_t ifindex, bool ingress, int prog_fd)
{
	size_t opts;

	put_filter(b, RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_REPLACE, ifindex, ingress, "attach the program");
	opts = nl_nest(b, TCA_OPTIONS, 0);
	nl_put_u32(b, TCA_BPF_FD, prog_fd);
	nl_put_str(b, TCA_BPF_NAME, "weir");
	nl_put_u32(b, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	nl_nest_end(b, opts);
}

static int filter_attach(int prog_fd, uint32_t ifindex, bool ingress, struct err *reterr)
{
	_cleanup_close_ int fd = nl_open(reterr);
	struct nl_batch b;

	if (fd < 0)
		return fd;
	nl_batch_init(&b);
	tc_put_clsact(&b, ifindex);
	tc_put_filter(&b, ifindex, ingress, prog_fd);
	return nl_send(fd, &b, NULL, NULL, reterr);
}

/* RTM_GETTFILTER or RTM_DELTFILTER. -ENOENT: there is none. */
static int filter_request(uint16_t type, uint32_t ifindex, bool ingress, const char *what, struct err *reterr)
{
	_cleanup_close_ int fd = nl_open(reterr);
	struct nl_batch b;
	int r;

	if (fd < 0)
		return fd;
	nl_batch_init(&b);
	put_filter(&b, type, 0, ifindex, ingress, what);
	r = nl_send(fd, &b, NULL, NULL, reterr);
	return r == -EINVAL || r == -ENODEV ? -ENOENT : r; /* no clsact qdisc, no interface */
}

int tc_attach(int prog_fd, uint32_t ifindex, bool ingress, const char *pin_path, struct err *reterr)
{
	_cleanup_close_ int link = -1;
	int r;

	if (!pin_path)
		return filter_attach(prog_fd, ifindex, ingress, reterr);
	link = open_link(ifindex, ingress, pin_path);
	if (link >= 0) {
		r = link_update(link, prog_fd);
		return r < 0 ? err_set(reterr, r, "cannot update %s: %m", pin_path) : 0;
	}
	link = tc_link(prog_fd, ifindex, ingress);
	if (link == -EINVAL)
		return filter_attach(prog_fd, ifindex, ingress, reterr);
	if (link < 0)
		return err_set(reterr, link, "cannot attach to interface %u: %m", ifindex);
	r = pin(link, pin_path); /* when it fails, closing the link detaches */
	return r < 0 ? err_set(reterr, r, "cannot pin %s: %m", pin_path) : 0;
}

int tc_detach(uint32_t ifindex, bool ingress, const char *pin_path, struct err *reterr)
{
	int r;

	if (pin_path && unlink(pin_path) == 0)
		return 0;
	if (pin_path && errno != ENOENT)
		return err_set(reterr, -errno, "cannot remove %s: %m", pin_path);
	r = filter_request(RTM_DELTFILTER, ifindex, ingress, "remove the bpf filter", reterr);
	return r == -ENOENT ? 0 : r;
}

int tc_attached(uint32_t ifindex, bool ingress, const char *pin_path, struct err *reterr)
{
	_cleanup_close_ int link = pin_path ? open_link(ifindex, ingress, pin_path) : -1;

	if (link >= 0)
		return 0;
	return filter_request(RTM_GETTFILTER, ifindex, ingress, "find the bpf filter", reterr);
}
