#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// The kernel takes no more with one message (SCM_MAX_FD).
enum { handles_max = 253 };

int penstock_socket_pair(int *handles) {
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, handles) == 0 ? 0 : -errno;
}

static int int_option(int fd, int name, int *value) {
  socklen_t length = sizeof *value;
  return getsockopt(fd, SOL_SOCKET, name, value, &length) == 0 ? 0 : -errno;
}

int penstock_adopt_socket_pair(int fd) {
  int value = 0;
  int status = int_option(fd, SO_DOMAIN, &value);
  if (status == 0 && value != AF_UNIX) return -EPROTOTYPE;
  if (status == 0) status = int_option(fd, SO_TYPE, &value);
  if (status != 0) return status;
  if (value != SOCK_SEQPACKET) return -EPROTOTYPE;
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return -errno;
  if (peer.uid != geteuid()) return -EPERM;
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
}

// 1 when it is ready, 0 after the time, or -errno. Time that signals take away is not counted: there are few.
static int wait_for(int fd, short events, int timeout_ms) {
  struct pollfd entry = {.fd = fd, .events = events};
  int count;
  do {
    count = poll(&entry, 1, timeout_ms);
  } while (count < 0 && errno == EINTR);
  return count < 0 ? -errno : count;
}

int penstock_send_handles(int fd, const void *data, size_t count, const int *handles, size_t handle_count,
                          int timeout_ms) {
  if (handle_count > handles_max) return -EMSGSIZE;
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(handles_max * sizeof(int))];
  } control;
  struct iovec part = {(void *)data, count};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (handle_count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.room;
    message.msg_controllen = CMSG_SPACE(handle_count * sizeof(int));
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(handle_count * sizeof(int));
    memcpy(CMSG_DATA(header), handles, handle_count * sizeof(int));
  }
  for (;;) {
    int ready = wait_for(fd, POLLOUT, timeout_ms);
    if (ready <= 0) return ready == 0 ? -ETIMEDOUT : ready;
    if (sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return 0;
    if (errno != EINTR && errno != EAGAIN) return -errno;
  }
}

// Keeps the descriptors that fit, and closes the others. Returns 0 where all did.
static int take_handles(struct msghdr *message, int *handles, size_t *handle_count) {
  size_t room = *handle_count;
  int status = message->msg_flags & (MSG_TRUNC | MSG_CTRUNC) ? -EMSGSIZE : 0;
  *handle_count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t found = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < found; index++) {
      int handle;
      memcpy(&handle, CMSG_DATA(header) + index * sizeof(int), sizeof handle);
      if (*handle_count < room) {
        handles[(*handle_count)++] = handle;
      } else {
        close(handle);
        status = -EMSGSIZE;
      }
    }
  }
  if (status == 0) return 0;
  for (size_t index = 0; index < *handle_count; index++) close(handles[index]);
  *handle_count = 0;
  return status;
}

ssize_t penstock_receive_handles(int fd, void *data, size_t capacity, int *handles, size_t *handle_count,
                                 int timeout_ms) {
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(handles_max * sizeof(int))];
  } control;
  struct iovec part = {data, capacity};
  for (;;) {
    int ready = wait_for(fd, POLLIN, timeout_ms);
    if (ready <= 0) return ready == 0 ? -ETIMEDOUT : ready;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    // ECONNRESET: the other end was closed with messages of this end unread. Its own may still be here; the
    // error is reported once.
    if (received < 0 && (errno == EINTR || errno == EAGAIN || errno == ECONNRESET)) continue;
    if (received < 0) {
      *handle_count = 0;
      return -errno;
    }
    int status = take_handles(&message, handles, handle_count);
    return status == 0 ? received : status;
  }
}

int penstock_duplicate(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  return copy < 0 ? -errno : copy;
}

int penstock_adopt_listener(int fd) {
  int value = 0;
  int status = int_option(fd, SO_PROTOCOL, &value);
  if (status != 0) return status;
  if (value != IPPROTO_TCP) return -EPROTOTYPE;
  status = int_option(fd, SO_ACCEPTCONN, &value);
  if (status != 0) return status;
  if (value == 0) return -EINVAL;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
  return fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
}

int penstock_epoll_remove(int epoll, int fd) {
  return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0 ? 0 : -errno;
}

pid_t penstock_spawn(const char *path, char *const *arguments, char *const *environment, int handle) {
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
  sigset_t signals;
  int status = posix_spawnattr_init(&attributes);
  if (status != 0) return -status;
  status = posix_spawn_file_actions_init(&actions);
  if (status != 0) {
    posix_spawnattr_destroy(&attributes);
    return -status;
  }
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes, &signals);
  // What is ignored here, or trapped, is the new program's own affair.
  sigfillset(&signals);
  sigdelset(&signals, SIGKILL);
  sigdelset(&signals, SIGSTOP);
  posix_spawnattr_setsigdefault(&attributes, &signals);
  // The copy is not close-on-exec, even where the number is the same. All behind it are closed, whether or
  // not they are close-on-exec.
  status = posix_spawn_file_actions_adddup2(&actions, handle, 3);
  if (status == 0) status = posix_spawn_file_actions_addclosefrom_np(&actions, 4);
  pid_t pid = 0;
  if (status == 0) status = posix_spawnp(&pid, path, &actions, &attributes, arguments, environment);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return status == 0 ? pid : -status;
}

int penstock_reap(pid_t pid, int wait, int *status) {
  int found = 0;
  pid_t ended;
  do {
    ended = waitpid(pid, &found, wait ? 0 : WNOHANG);
  } while (ended < 0 && errno == EINTR);
  if (ended <= 0) return ended == 0 ? 0 : -errno;
  *status = WIFEXITED(found) ? WEXITSTATUS(found) : -WTERMSIG(found);
  return 1;
}

int penstock_send_datagram(const char *path, const void *data, size_t count) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length < 2 || length >= sizeof address.sun_path) return -EINVAL;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  int status =
      sendto(fd, data, count, MSG_NOSIGNAL, (struct sockaddr *)&address, size) < 0 ? -errno : 0;
  close(fd);
  return status;
}
