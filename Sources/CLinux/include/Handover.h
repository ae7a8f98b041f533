#pragma once
// What one process needs to start another and to hand it sockets.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// A close-on-exec pair of Unix sockets that keep the bounds of messages (SOCK_SEQPACKET). 0 or -errno.
int penstock_socket_pair(int *_Nonnull handles);

/// Whether `fd` is one end of such a pair, made by a process of the same user. Makes it close-on-exec.
/// 0 or -errno.
int penstock_adopt_socket_pair(int fd);

/// Sends one message, of at least one byte, with descriptors (SCM_RIGHTS, at most 253). Waits at most
/// `timeout_ms` for room. 0 or -errno.
int penstock_send_handles(int fd, const void *_Nonnull data, size_t count, const int *_Nonnull handles,
                          size_t handle_count, int timeout_ms);

/// Receives one message and its descriptors, which are close-on-exec. Waits at most `timeout_ms`, for ever
/// where it is negative. `handle_count` holds the room before, and how many came after.
/// The message's bytes, 0 when the other end is closed, or -errno; -EMSGSIZE where something did not fit,
/// with all descriptors closed.
ssize_t penstock_receive_handles(int fd, void *_Nonnull data, size_t capacity, int *_Nonnull handles,
                                 size_t *_Nonnull handle_count, int timeout_ms);

/// Another descriptor for the same, close-on-exec; or -errno.
int penstock_duplicate(int fd);

/// Makes a listening TCP socket of another process non-blocking and close-on-exec. 0 or -errno; -ENOTSOCK,
/// -EPROTOTYPE or -EINVAL where it is none.
int penstock_adopt_listener(int fd);

/// epoll_ctl with EPOLL_CTL_DEL. 0 or -errno.
int penstock_epoll_remove(int epoll, int fd);

/// Starts a program, looked for as execvp does. Of this process's descriptors it gets the standard ones and,
/// as descriptor 3, `handle`; signals have their defaults, and none is blocked. The process's id or -errno.
pid_t penstock_spawn(const char *_Nonnull path, char *_Nullable const *_Nonnull arguments,
                     char *_Nullable const *_Nonnull environment, int handle);

/// Takes note of a child's end. 1 when it has ended, with its exit status or, as a negative number, the
/// signal that ended it; 0 when it has not, and `wait` is 0; -errno.
int penstock_reap(pid_t pid, int wait, int *_Nonnull status);

/// Sends text to a datagram socket by its path; `@` at the begin stands for Linux's abstract names
/// (sd_notify(3)). 0 or -errno.
int penstock_send_datagram(const char *_Nonnull path, const void *_Nonnull data, size_t count);
