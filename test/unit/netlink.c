// SPDX-License-Identifier: Apache-2.0
#include "lib/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "test/unit.h"

static int count(const struct nlmsghdr *h, void *userdata)
{
	if (h->nlmsg_type == RTM_NEWLINK && nl_attr(h, sizeof(struct ifinfomsg), IFLA_IFNAME))
		++*(int *)userdata;
	return 0;
}

START_TEST(a_dump_is_read_to_its_end)
{
	_cleanup_close_ int fd = nl_open(NULL);
	struct nl_batch b;
	int n = 0;

	ck_assert_int_ge(fd, 0);
	for (int twice = 0; twice < 2; twice++) { /* nothing of the first may be left for the second */
		n = 0;
		nl_batch_init(&b);
		nl_begin(&b, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg), "list links");
		ck_assert_int_eq(nl_send(fd, &b, count, &n, NULL), 0);
		ck_assert_int_ge(n, 1);
	}
	ck_assert_int_gt(nl_ifindex(fd, "lo"), 0);
	ck_assert_int_eq(nl_ifindex(fd, "weir-absent"), -ENODEV);
	ck_assert_int_eq(nl_ifindex(fd, "a-name-beyond-any-limit"), -ENODEV);
}
END_TEST

static void ask_for(struct nl_batch *b, const char *name, const char *what)
{
	nl_begin(b, RTM_GETLINK, 0, sizeof(struct ifinfomsg), what);
	nl_put_str(b, IFLA_IFNAME, name);
}

START_TEST(the_first_error_of_a_batch_is_told)
{
	_cleanup_close_ int fd = nl_open(NULL);
	struct nl_batch b;
	struct err e;
	int n = 0;

	nl_batch_init(&b);
	ask_for(&b, "weir-absent", "first");
	nl_tolerate(&b, ENODEV);
	ask_for(&b, "lo", "second");
	ask_for(&b, "weir-absent", "third");
	ask_for(&b, "weir-absent", "fourth");
	ask_for(&b, "lo", "fifth");
	ck_assert_int_eq(nl_send(fd, &b, count, &n, &e), -ENODEV);
	ck_assert_msg(str_prefix(e.msg, "cannot third: No such device"), "%s", e.msg);
	ck_assert_int_eq(n, 1); /* what comes after an error is of no interest */
}
END_TEST

START_TEST(what_does_not_fit_is_not_sent)
{
	static const char big[5000];
	_cleanup_close_ int fd = nl_open(NULL);
	struct nl_batch b;

	nl_batch_init(&b);
	ask_for(&b, "lo", "ask");
	nl_put(&b, IFLA_IFALIAS, big, sizeof(big));
	ck_assert_int_eq(nl_send(fd, &b, NULL, NULL, NULL), -EMSGSIZE);
	nl_batch_init(&b);
	for (int i = 0; i <= NL_BATCH_MSGS; i++)
		ask_for(&b, "lo", "ask");
	ck_assert_int_eq(nl_send(fd, &b, NULL, NULL, NULL), -EMSGSIZE);
	nl_batch_init(&b);
	ck_assert_int_eq(nl_send(fd, &b, NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(broken_attributes_are_not_followed)
{
	struct {
		struct nlmsghdr h;
		struct nlattr a[4];
	} m = { .h = { .nlmsg_len = sizeof(m) } };

	m.a[0] = (struct nlattr){ .nla_len = 2, .nla_type = 7 }; /* shorter than itself */
	ck_assert_ptr_null(nl_attr(&m.h, 0, 9));
	m.a[0] = (struct nlattr){ .nla_len = 4, .nla_type = 7 };
	m.a[1] = (struct nlattr){ .nla_len = 400, .nla_type = 9 }; /* longer than the message */
	ck_assert_ptr_eq(nl_attr(&m.h, 0, 7), &m.a[0]);
	ck_assert_ptr_null(nl_attr(&m.h, 0, 9));
	ck_assert_ptr_null(nl_attr(&m.h, 4000, 7));
	ck_assert_int_eq(nl_u32(&m.a[0]), 0);
	ck_assert_int_eq(nl_u32(NULL), 0);
}
END_TEST

UNIT_MAIN(netlink, a_dump_is_read_to_its_end, the_first_error_of_a_batch_is_told, what_does_not_fit_is_not_sent,
	  broken_attributes_are_not_followed)
