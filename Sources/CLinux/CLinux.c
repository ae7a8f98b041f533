#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

__thread void *penstock_current_worker = NULL;

static int epoll_control(int epoll, int operation, int fd, uint32_t events) {
  struct epoll_event event;
  memset(&event, 0, sizeof event);
  event.events = events;
  event.data.u64 = (uint64_t)(uint32_t)fd;
  return epoll_ctl(epoll, operation, fd, &event) == 0 ? 0 : -errno;
}

int penstock_epoll_add(int epoll, int fd, uint32_t events) {
  return epoll_control(epoll, EPOLL_CTL_ADD, fd, events);
}

int penstock_epoll_modify(int epoll, int fd, uint32_t events) {
  return epoll_control(epoll, EPOLL_CTL_MOD, fd, events);
}

int penstock_eventfd(void) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

int penstock_accept(int fd, struct sockaddr_storage *address) {
  socklen_t length = sizeof *address;
  int accepted;
  do {
    accepted = accept4(fd, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (accepted < 0 && errno == EINTR);
  return accepted < 0 ? -errno : accepted;
}

int penstock_tcp_socket(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

int penstock_set_option(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof value) == 0 ? 0 : -errno;
}

int penstock_pin_thread(int index) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return -errno;
  int count = CPU_COUNT(&usable);
  if (count <= 1) return 0;
  int wanted = index % count;
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET(cpu, &usable)) continue;
    if (wanted-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return -pthread_setaffinity_np(pthread_self(), sizeof one, &one);
  }
  return 0;
}

// The kernel's structure (sched_setattr(2)); glibc has no wrapper.
struct scheduling {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

static void shorten_slice(pid_t thread, unsigned microseconds) {
  struct scheduling scheduling = {.size = sizeof scheduling};
  if (syscall(SYS_sched_getattr, thread, &scheduling, sizeof scheduling, 0) != 0) return;
  if (scheduling.policy != SCHED_OTHER) return;
  scheduling.runtime = (uint64_t)microseconds * 1000;
  syscall(SYS_sched_setattr, thread, &scheduling, 0);
}

void penstock_shorten_slice(unsigned microseconds) { shorten_slice(0, microseconds); }

void penstock_shorten_slices(unsigned microseconds) {
  DIR *threads = opendir("/proc/self/task");
  if (threads == NULL) return;
  for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
    int thread = atoi(entry->d_name);
    if (thread > 0) shorten_slice(thread, microseconds);
  }
  closedir(threads);
}

void penstock_name_thread(const char *name) {
  char shortened[16];
  snprintf(shortened, sizeof shortened, "%s", name);
  pthread_setname_np(pthread_self(), shortened);
}

// Linux has a nice value for each thread (setpriority(2), "C library/kernel differences").
int penstock_nice(void) { return getpriority(PRIO_PROCESS, 0); }

void penstock_give_way(int nice) {
  static __thread int has_given_way;
  if (has_given_way) return;
  has_given_way = 1;
  setpriority(PRIO_PROCESS, 0, nice);
}

void penstock_lower_priority(int nice) { setpriority(PRIO_PROCESS, 0, penstock_nice() + nice); }

int penstock_thread_identifier(void) { return gettid(); }

// cgroup v2's cpu.max holds "quota period" or "max period", in microseconds.
static int cgroup_cpus(int limit) {
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (file == NULL) return limit;
  char quota[32];
  long period = 0;
  int read = fscanf(file, "%31s %ld", quota, &period);
  fclose(file);
  if (read != 2 || period <= 0 || strcmp(quota, "max") == 0) return limit;
  long cpus = (strtol(quota, NULL, 10) + period - 1) / period;
  return cpus >= 1 && cpus < limit ? (int)cpus : limit;
}

int penstock_usable_cpus(void) {
  cpu_set_t usable;
  CPU_ZERO(&usable);
  int count = sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
  return cgroup_cpus(count > 0 ? count : 1);
}

// syscall rather than send and recv: these are cancellation points, which cost two atomic
// operations a call in a process with threads, and no thread here is ever cancelled.

ssize_t penstock_send(int fd, const void *data, size_t count) {
  ssize_t sent;
  do {
    sent = syscall(SYS_sendto, fd, data, count, MSG_NOSIGNAL, NULL, 0);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

ssize_t penstock_send2(int fd, const void *a, size_t a_count, const void *b, size_t b_count) {
  struct iovec parts[2] = {{(void *)a, a_count}, {(void *)b, b_count}};
  struct msghdr message;
  memset(&message, 0, sizeof message);
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  ssize_t sent;
  do {
    sent = syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

ssize_t penstock_recv(int fd, void *data, size_t count) {
  ssize_t received;
  do {
    received = syscall(SYS_recvfrom, fd, data, count, 0, NULL, NULL);
  } while (received < 0 && errno == EINTR);
  return received < 0 ? -errno : received;
}

int penstock_unacknowledged_bytes(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

int penstock_is_quiet(int fd) {
  char byte;
  ssize_t received = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return received < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

void penstock_malloc_without_fastbins(void) { mallopt(M_MXFAST, 0); }

void penstock_malloc_trim(void) { malloc_trim(0); }
