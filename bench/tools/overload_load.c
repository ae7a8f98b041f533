// More load than a server can take, and clients that abuse it.
//
//   overload_load open   PORT PATH RATE CONNECTIONS_MAX SECONDS_MAX
//   overload_load closed PORT PATH 0 CONNECTIONS SECONDS_MAX
//   overload_load slow-heads|slow-reads PORT PATH PERIOD_MILLISECONDS CONNECTIONS SECONDS_MAX
//   overload_load reset|continuation|settings|ping PORT PATH PAUSE_MILLISECONDS CONNECTIONS SECONDS_MAX
//   overload_load spin 1 / 1 1 SECONDS_MAX
//   overload_load origin PORT
//
// open: requests are due at a constant rate, whatever is answered. Each takes a connection that is idle, or
// opens one; where CONNECTIONS_MAX are busy it is not sent, and counted as such. A client gives up after a
// second, and takes a new connection. Latency counts from when a request was due.
// closed: each connection sends its next request when the last one is answered.
// slow-heads: heads that never end, a byte in each period. slow-reads: of each response 2,048 bytes are taken
// in a period. Connections that are closed are opened again at once.
// reset, continuation, settings, ping: HTTP/2 by prior knowledge; frames as fast as the peer takes them. A
// connection that is closed is opened again after the pause; the first ones are opened spread over it.
//
// spin: nothing, without a pause.
// origin: answers every request without content with 100 bytes, as cheaply as it can.
//
// A line on standard input ends a window: one line of JSON about it is printed. The end of it ends the program.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "common.h"

enum { GIVE_UP_NANOSECONDS = 1000000000, SAMPLES_MAX = 20000000, TAKEN_BYTES = 2048, FLOOD_BYTES = 16384 };
enum { EVENTS_MAX = 512 };
enum kind { OPEN, CLOSED, SLOW_HEADS, SLOW_READS, RESET, CONTINUATION, SETTINGS, PING, SPIN };
enum state { NONE, CONNECTING, IDLE, BUSY };

struct client {
  int descriptor;
  enum state state;
  uint64_t due;      // of its request; or when it connects again
  size_t received;   // of a response's head; or sent of a flood's frames
  size_t left;       // of a response's content
  uint32_t stream;   // the flood's next one
  int status;
  char head[1024];
};

static const char *const kinds[] = {"open", "closed", "slow-heads", "slow-reads", "reset", "continuation",
                                    "settings", "ping", "spin"};
static enum kind kind;
static int port, poller;
static char request[512];
static size_t request_bytes;
static struct client *clients;
static long client_count;
static struct client **idle;
static long idle_count;
static uint32_t *samples;  // microseconds
static uint64_t sample_count, due_count, sent_count, shed, failed, gave_up, unsent, connects, frames;

static void open_client(struct client *client) {
  client->descriptor = connect_loopback(port);
  if (kind == SLOW_READS) {
    int bytes = 2 * TAKEN_BYTES;
    setsockopt(client->descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  }
  client->state = CONNECTING;
  client->received = 0;
  client->stream = 1;
  connects++;
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = client};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, client->descriptor, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

static void close_client(struct client *client) {
  close(client->descriptor);
  client->state = NONE;
}

// An answer to a request, or the end of the hope for one.
static void answered(struct client *client, uint64_t now) {
  if (client->status >= 200 && client->status < 300) {
    if (sample_count < SAMPLES_MAX) samples[sample_count++] = (uint32_t)((now - client->due) / 1000);
  } else if (client->status == 503) {
    shed++;
  } else {
    failed++;
  }
}

static bool send_request(struct client *client, uint64_t due) {
  client->due = due;
  client->received = 0;
  if (send(client->descriptor, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes) {
    failed++;
    close_client(client);
    return false;
  }
  client->state = BUSY;
  sent_count++;
  return true;
}

static void become_idle(struct client *client) {
  client->state = IDLE;
  if (kind == CLOSED) {
    send_request(client, nanoseconds());
  } else {
    idle[idle_count++] = client;
  }
}

// Whole responses with Content-Length.
static void read_response(struct client *client) {
  static char content[65536];
  while (client->state == BUSY || client->state == IDLE) {
    bool in_head = client->received < sizeof client->head && client->left == 0;
    ssize_t count = in_head ? recv(client->descriptor, client->head + client->received,
                                   sizeof client->head - 1 - client->received, 0)
                            : recv(client->descriptor, content, sizeof content, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0 || client->state == IDLE) {
      if (client->state == BUSY) failed++;
      if (client->state == IDLE) {
        for (long index = 0; index < idle_count; index++) {
          if (idle[index] == client) idle[index] = idle[--idle_count];
        }
      }
      return close_client(client);
    }
    if (in_head) {
      client->received += (size_t)count;
      client->head[client->received] = 0;
      char *end = strstr(client->head, "\r\n\r\n");
      if (end == NULL) {
        if (client->received >= sizeof client->head - 1) fail("a response's head is too long");
        continue;
      }
      char *length = strcasestr(client->head, "content-length:");
      if (length == NULL) fail("a response without Content-Length: %s", client->head);
      client->status = atoi(client->head + 9);
      client->left = (size_t)atol(length + 15);
      size_t had = client->received - (size_t)(end + 4 - client->head);
      client->left -= had < client->left ? had : client->left;
    } else {
      client->left -= (size_t)count < client->left ? (size_t)count : client->left;
    }
    if (client->left == 0) {
      answered(client, nanoseconds());
      client->received = 0;
      bool closes = strcasestr(client->head, "connection: close") != NULL;
      if (closes) return close_client(client);
      become_idle(client);
    }
  }
}

// ---- Clients that are slow

static void act_slowly(struct client *client) {
  static char taken[TAKEN_BYTES];
  if (client->state == NONE) return open_client(client);
  if (client->state != BUSY) return;
  if (kind == SLOW_HEADS) {
    if (send(client->descriptor, "x", 1, MSG_NOSIGNAL) != 1) close_client(client);
    return;
  }
  ssize_t count = recv(client->descriptor, taken, sizeof taken, 0);
  if (count == 0 || (count < 0 && errno != EAGAIN)) close_client(client);
}

// ---- Floods

static size_t put_frame(uint8_t *at, size_t length, uint8_t type, uint8_t flags, uint32_t stream) {
  uint8_t head[9] = {(uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length, type, flags,
                     (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
  memcpy(at, head, sizeof head);
  return sizeof head;
}

// A GET that HPACK's static table describes: :method GET, :path /, :scheme http, and :authority x.
static const uint8_t block[] = {0x82, 0x84, 0x86, 0x41, 0x01, 'x'};

static size_t fill_flood(struct client *client, uint8_t *bytes) {
  size_t used = 0;
  if (client->received == 0) {
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    memcpy(bytes, preface, sizeof preface - 1);
    used = sizeof preface - 1;
    used += put_frame(bytes + used, 0, 4, 0, 0);
    if (kind == CONTINUATION) {
      used += put_frame(bytes + used, sizeof block, 1, 0, 1);
      memcpy(bytes + used, block, sizeof block);
      used += sizeof block;
    }
  }
  while (used < FLOOD_BYTES - 64) {
    frames++;
    switch (kind) {
      case RESET:
        used += put_frame(bytes + used, sizeof block, 1, 5, client->stream);
        memcpy(bytes + used, block, sizeof block);
        used += sizeof block;
        used += put_frame(bytes + used, 4, 3, 0, client->stream);
        memcpy(bytes + used, "\0\0\0\10", 4);
        used += 4;
        client->stream += 2;
        break;
      case CONTINUATION: used += put_frame(bytes + used, 0, 9, 0, 1); break;
      case SETTINGS: used += put_frame(bytes + used, 0, 4, 0, 0); break;
      default:
        used += put_frame(bytes + used, 8, 6, 0, 0);
        memset(bytes + used, 7, 8);
        used += 8;
    }
  }
  return used;
}

static void flood(struct client *client) {
  static uint8_t bytes[FLOOD_BYTES], dropped[FLOOD_BYTES];
  if (client->state == NONE) return;
  ssize_t count = recv(client->descriptor, dropped, sizeof dropped, 0);
  if (count == 0 || (count < 0 && errno != EAGAIN)) goto lost;
  // A frame that was cut short would be another abuse than the one that is measured: a full socket ends it.
  size_t filled = fill_flood(client, bytes);
  count = send(client->descriptor, bytes, filled, MSG_NOSIGNAL);
  if (count < 0 && errno == EAGAIN) return;
  if (count != (ssize_t)filled) goto lost;
  client->received += filled;
  client->state = BUSY;
  return;
lost:
  close_client(client);
  client->due = nanoseconds();
}

// ---- The rest

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static uint32_t percentile(double share) {
  return sample_count == 0 ? 0 : samples[(uint64_t)((double)(sample_count - 1) * share)];
}

static void report(double seconds) {
  qsort(samples, sample_count, sizeof *samples, compare);
  long connected = 0;
  for (long index = 0; index < client_count; index++) connected += clients[index].state >= IDLE;
  printf("{\"seconds\": %.3f, \"due\": %lu, \"sent\": %lu, \"served\": %lu, \"shed\": %lu, \"failed\": %lu, "
         "\"gaveUp\": %lu, \"unsent\": %lu, \"connects\": %lu, \"connected\": %ld, \"frames\": %lu, "
         "\"p50Microseconds\": %u, \"p99Microseconds\": %u, \"maxMicroseconds\": %u}\n",
         seconds, due_count, sent_count, sample_count, shed, failed, gave_up, unsent, connects, connected, frames,
         percentile(0.5), percentile(0.99), percentile(1));
  fflush(stdout);
  sample_count = due_count = sent_count = shed = failed = gave_up = unsent = connects = frames = 0;
}

static void became_ready(struct client *client, uint32_t events) {
  if (client->state == NONE) return;
  if (client->state == CONNECTING) {
    if (events & (EPOLLERR | EPOLLHUP)) {
      failed++;
      return close_client(client);
    }
    if (!(events & EPOLLOUT)) return;
    switch (kind) {
      case OPEN: send_request(client, client->due); return;
      case CLOSED: return become_idle(client);
      case SLOW_HEADS:
      case SLOW_READS:
        if (send(client->descriptor, request, request_bytes, MSG_NOSIGNAL) < 0) return close_client(client);
        client->state = BUSY;
        return;
      default: client->state = IDLE;
    }
  }
  if (kind <= CLOSED) return read_response(client);
  if (kind >= RESET) return flood(client);
  if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) {
    close_client(client);
    open_client(client);
  }
}

// Sends what is due on an idle connection, or on a new one.
static bool begin_request(uint64_t due) {
  static long next_new;
  while (idle_count > 0) {
    if (send_request(idle[--idle_count], due)) return true;
  }
  for (long tries = 0; tries < 64; tries++) {
    struct client *client = &clients[next_new++ % client_count];
    if (client->state != NONE) continue;
    client->due = due;
    open_client(client);
    return true;
  }
  return false;
}

static void begin_due(uint64_t now, uint64_t *next, double interval) {
  for (; *next <= now; *next += (uint64_t)interval) {
    due_count++;
    if (!begin_request(*next)) unsent++;
  }
}

static void give_up_late(uint64_t now) {
  static long next_looked;
  for (long count = client_count / 64 + 1; count > 0; count--) {
    struct client *client = &clients[next_looked++ % client_count];
    if ((client->state == BUSY || client->state == CONNECTING) && now - client->due > GIVE_UP_NANOSECONDS &&
        now > client->due) {
      gave_up++;
      close_client(client);
    }
  }
}

// What is to be done though nothing is ready.
static void act(uint64_t now, uint64_t start, long rate) {
  static uint64_t next, acted;
  switch (kind) {
    case OPEN:
      if (next == 0) next = now;
      begin_due(now, &next, 1e9 / (double)rate);
      give_up_late(now);
      return;
    case SPIN: return;
    case CLOSED:
      for (long index = 0; index < client_count; index++) {
        if (clients[index].state == NONE) open_client(&clients[index]);
      }
      return;
    case SLOW_HEADS:
    case SLOW_READS: {
      uint64_t wanted = (uint64_t)((double)(now - start) / 1e6 / (double)rate * (double)client_count);
      for (; acted < wanted; acted++) act_slowly(&clients[acted % (uint64_t)client_count]);
      return;
    }
    default:
      for (long index = 0; index < client_count; index++) {
        struct client *client = &clients[index];
        if (client->state == NONE && now - client->due >= (uint64_t)rate * 1000000) open_client(client);
        else if (client->state == BUSY || client->state == IDLE) flood(client);
      }
  }
}

// ---- The origin

static _Noreturn void serve(void) {
  static const char answer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n"
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
  static char received[65536];
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
  struct sockaddr_in address = loopback(port);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
    fail("port %d: %s", port, strerror(errno));
  }
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS_MAX];
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
  for (;;) {
    int ready = epoll_wait(poller, events, EVENTS_MAX, -1);
    for (int index = 0; index < ready; index++) {
      int descriptor = events[index].data.fd;
      if (descriptor == listener) {
        int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) continue;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = accepted};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, accepted, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
        continue;
      }
      ssize_t bytes = recv(descriptor, received, sizeof received, 0);
      // A head comes in one piece from who sends it in one.
      if (bytes <= 0 || send(descriptor, answer, sizeof answer - 1, MSG_NOSIGNAL) < 0) close(descriptor);
    }
  }
}

static void wait_briefly(void) {
  struct pollfd descriptor = {.fd = poller, .events = POLLIN};
  struct timespec pause = {.tv_nsec = 50000};
  ppoll(&descriptor, 1, &pause, NULL);
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "origin") == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    port = (int)number_argument(arguments[2], "PORT", 1, 65535);
    poller = epoll_create1(EPOLL_CLOEXEC);
    serve();
  }
  if (count != 7) fail("usage: overload_load KIND PORT PATH RATE|MILLISECONDS CONNECTIONS SECONDS_MAX");
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  for (kind = OPEN; strcmp(kinds[kind], arguments[1]) != 0;) {
    if (++kind > SPIN) fail("%s is no kind of load", arguments[1]);
  }
  port = (int)number_argument(arguments[2], "PORT", 1, 65535);
  long rate = number_argument(arguments[4], "RATE", kind == CLOSED ? 0 : 1, 10000000);
  client_count = number_argument(arguments[5], "CONNECTIONS", 1, 50000);
  long seconds_max = number_argument(arguments[6], "SECONDS_MAX", 1, 3600);
  request_bytes = (size_t)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: bench.test\r\n%s",
                                   arguments[3], kind == SLOW_HEADS ? "X-Slow: " : "\r\n");
  if (request_bytes >= sizeof request) fail("PATH is too long");
  clients = calloc((size_t)client_count, sizeof *clients);
  idle = calloc((size_t)client_count, sizeof *idle);
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  poller = epoll_create1(EPOLL_CLOEXEC);
  if (clients == NULL || idle == NULL || samples == NULL || poller < 0) fail("no memory or descriptors");
  if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0) fail("fcntl: %s", strerror(errno));

  uint64_t start = nanoseconds(), window = start;
  if (kind >= RESET && kind <= PING) {
    uint64_t pause = (uint64_t)rate * 1000000;
    for (long index = 0; index < client_count; index++) {
      clients[index].due = start - pause + pause / (uint64_t)client_count * (uint64_t)index;
    }
  }
  while (nanoseconds() - start < (uint64_t)seconds_max * 1000000000u) {
    uint64_t now = nanoseconds();
    act(now, start, rate);
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(poller, events, EVENTS_MAX, kind == OPEN || kind == SPIN ? 0 : 1);
    // The origin needs the core as well.
    if (kind == OPEN && ready == 0) wait_briefly();
    for (int index = 0; index < ready; index++) became_ready(events[index].data.ptr, events[index].events);
    char line[16];
    ssize_t read_count = read(STDIN_FILENO, line, sizeof line);
    if (read_count == 0) break;
    if (read_count > 0) {
      now = nanoseconds();
      report((double)(now - window) / 1e9);
      window = nanoseconds();
    }
  }
  return 0;
}
