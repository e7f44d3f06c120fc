// SPDX-License-Identifier: Apache-2.0
#include "lib/pb.h"

void *pb_new(const ProtobufCMessageDescriptor *d)
{
	ProtobufCMessage *m = malloc(d->sizeof_message);

	if (m)
		protobuf_c_message_init(d, m);
	return m;
}

/* Room for one more pointer; arrays grow to powers of two. */
static int reserve(size_t n, void ***array)
{
	void **a = *array;

	if ((n & (n - 1)) == 0)
		a = realloc(a, (n ? 2 * n : 1) * sizeof(*a));
	if (!a)
		return -ENOMEM;
	*array = a;
	return 0;
}

void *pb_append(size_t *n, void *array, const ProtobufCMessageDescriptor *d)
{
	void **elements, *m;

	memcpy(&elements, array, sizeof(elements)); /* a T ** of any T */
	if (reserve(*n, &elements) < 0)
		return NULL;
	memcpy(array, &elements, sizeof(elements));
	m = pb_new(d);
	if (m)
		elements[(*n)++] = m;
	return m;
}

int pb_append_str(size_t *n, char ***array, const char *s)
{
	void **elements = (void **)*array;
	char *copy;

	if (reserve(*n, &elements) < 0)
		return -ENOMEM;
	*array = (char **)elements;
	copy = strdup(s);
	if (!copy)
		return -ENOMEM;
	(*array)[(*n)++] = copy;
	return 0;
}

int pb_set_str(char **field, const char *s)
{
	char *copy = (char *)protobuf_c_empty_string;

	if (s && *s && !(copy = strdup(s)))
		return -ENOMEM;
	if (*field != protobuf_c_empty_string)
		free(*field);
	*field = copy;
	return 0;
}
