#pragma once
// What Glibc's Swift overlay does not offer: calls behind _GNU_SOURCE, variadic calls,
// macros that overflow an Int32, and a thread-local pointer.

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "Handover.h"

/// Has free() give small blocks back at once. By default glibc keeps them aside and merges all of them
/// together now and then: measured, 12 ms with 100,000 routes. To be called before threads start.
void penstock_malloc_without_fastbins(void);
/// Gives memory that is free back to the system. Takes milliseconds for each 100 MB.
void penstock_malloc_trim(void);

/// Has memory brought into the caches, without waiting for it.
static inline void penstock_prefetch(const void *_Nonnull memory, size_t bytes) {
  uintptr_t end = (uintptr_t)memory + bytes;
  for (uintptr_t line = (uintptr_t)memory & ~(uintptr_t)63; line < end; line += 64)
    __builtin_prefetch((const void *)line, 1);
}

/// The worker that the calling thread runs, or NULL.
extern __thread void *_Nullable penstock_current_worker;

static inline void *_Nullable penstock_current_worker_get(void) { return penstock_current_worker; }
static inline void penstock_current_worker_set(void *_Nullable worker) { penstock_current_worker = worker; }

/// epoll_ctl with the handle as the event's data. Returns 0 or -errno.
int penstock_epoll_add(int epoll, int fd, uint32_t events);
int penstock_epoll_modify(int epoll, int fd, uint32_t events);

static const int PENSTOCK_EPOLL_CLOEXEC = EPOLL_CLOEXEC;
static const uint32_t PENSTOCK_EPOLL_IN = EPOLLIN;
static const uint32_t PENSTOCK_EPOLL_OUT = EPOLLOUT;
static const uint32_t PENSTOCK_EPOLL_HUP = EPOLLHUP;
static const uint32_t PENSTOCK_EPOLL_ERR = EPOLLERR;
static const uint32_t PENSTOCK_EPOLL_RDHUP = EPOLLRDHUP;
static const uint32_t PENSTOCK_EPOLL_EDGE = EPOLLET;

/// A non-blocking, close-on-exec eventfd. The descriptor or -errno.
int penstock_eventfd(void);

/// accept4 with SOCK_NONBLOCK | SOCK_CLOEXEC. Returns the new descriptor or -errno.
int penstock_accept(int fd, struct sockaddr_storage *_Nonnull address);

/// A non-blocking, close-on-exec TCP socket. Returns the descriptor or -errno.
int penstock_tcp_socket(int family);

/// setsockopt with an int. Returns 0 or -errno.
int penstock_set_option(int fd, int level, int name, int value);

/// Pins the calling thread to one CPU of those it may use, by index modulo their number.
int penstock_pin_thread(int index);

/// Makes the scheduler's slices of the calling thread shorter, by which it gets the CPU sooner when it is woken
/// and gives it up sooner; no more of it (Linux 6.12; before that without effect). Ordinary threads only.
void penstock_shorten_slice(unsigned microseconds);
/// The same for all threads that there are, and for those that they start.
void penstock_shorten_slices(unsigned microseconds);

/// The nice value of the calling thread.
int penstock_nice(void);
/// Sets the nice value of the calling thread, the first time that it is called there.
void penstock_give_way(int nice);

/// Gives the calling thread less of a CPU that others want as well: by `nice` more than the process has.
void penstock_lower_priority(int nice);

/// Names the calling thread, by the first 15 bytes.
void penstock_name_thread(const char *_Nonnull name);

/// The kernel's number of the calling thread, as in /proc/self/task.
int penstock_thread_identifier(void);

/// CPUs that the process may use: affinity mask and cgroup v2 quota considered.
int penstock_usable_cpus(void);

/// send / sendmsg with MSG_NOSIGNAL and recv, each retried on EINTR. Bytes or -errno.
ssize_t penstock_send(int fd, const void *_Nonnull data, size_t count);
ssize_t penstock_send2(int fd, const void *_Nonnull a, size_t a_count, const void *_Nonnull b, size_t b_count);
ssize_t penstock_recv(int fd, void *_Nonnull data, size_t count);
/// 1 when the peer has neither closed nor sent anything, 0 otherwise.
int penstock_is_quiet(int fd);

/// Bytes that were sent and that the peer's system has not acknowledged.
int penstock_unacknowledged_bytes(int fd);
