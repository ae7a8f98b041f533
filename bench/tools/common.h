// What the programs of the benchmarks share: a clock, loopback sockets and percentiles.
#ifndef PENSTOCK_BENCH_COMMON_H
#define PENSTOCK_BENCH_COMMON_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static inline _Noreturn void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static inline uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline long number_argument(const char *text, const char *name, long min, long max) {
  char *end;
  long value = strtol(text, &end, 10);
  if (*text == '\0' || *end != '\0' || value < min || value > max) {
    fail("%s: %s is not a number from %ld to %ld", name, text, min, max);
  }
  return value;
}

static inline struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket that connects to the loopback port, without waiting for it.
static inline int connect_loopback(int port) {
  int socket_descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket_descriptor < 0) fail("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(socket_descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in address = loopback(port);
  if (connect(socket_descriptor, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS) {
    fail("connect: %s", strerror(errno));
  }
  return socket_descriptor;
}

static inline int listen_loopback(int port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) fail("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = loopback(port);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
    fail("port %d: %s", port, strerror(errno));
  }
  return listener;
}

// Edge-triggered, for both directions: registered once.
static inline void watch(int poller, int descriptor, void *owner) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = owner};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, descriptor, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

static inline void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

// Durations in microseconds, counted in steps that grow by an eighth, so that any number of them fits.
enum { DURATION_STEPS = 256 };
struct durations {
  uint64_t count;
  uint64_t steps[DURATION_STEPS];
};

static inline void add_duration(struct durations *durations, uint64_t nanoseconds_taken) {
  uint64_t value = nanoseconds_taken / 100;  // tenths of a microsecond
  unsigned step = (unsigned)value;
  if (value >= 8) {
    unsigned exponent = 63u - (unsigned)__builtin_clzll(value);
    step = (exponent - 2) * 8 + (unsigned)((value >> (exponent - 3)) & 7);
  }
  durations->steps[step < DURATION_STEPS ? step : DURATION_STEPS - 1] += 1;
  durations->count += 1;
}

static inline double percentile_microseconds(const struct durations *durations, double share) {
  uint64_t wanted = (uint64_t)((double)durations->count * share), seen = 0;
  for (unsigned step = 0; step < DURATION_STEPS; step++) {
    seen += durations->steps[step];
    if (seen > wanted) {
      if (step < 8) return step / 10.0;
      return (double)((8ull + step % 8) << (step / 8 - 1)) / 10.0;
    }
  }
  return 0;
}

#endif
