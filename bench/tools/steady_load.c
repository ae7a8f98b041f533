// Sends requests at a constant rate over connections that stay, and tells what became of them.
//
//   steady_load http1|http2|websocket HOST PORT PATH CONNECTIONS RATE SECONDS_MAX
//   steady_load calls                 FILE PORT COUNT CONNECTIONS RATE SECONDS_MAX
//
// A request's duration is counted from when it was due, not from when it could be sent, so that a pause shows in
// all requests that it held up. HTTP/2 is by prior knowledge in clear text; a message of WebSocket and its echo
// count as a request. `calls` sends whole HTTP/1.1 requests from FILE, each after a line with its length, COUNT
// of them, again from the beginning where there are fewer; others than 2xx are printed.
//
// A line on standard input ends a window, and so does the end of it, which is the program's end too: each prints
// one line of JSON about the requests that were answered in it.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "common.h"

enum { BUFFER_BYTES = 65536, MESSAGE_BYTES = 125, STREAMS_MAX = 256, REPORTS_MAX = 10 };
enum { RECONNECT_NANOSECONDS = 20000000, SAMPLES_MAX = 50000000 };
enum protocol { HTTP1, HTTP2, WEBSOCKET, CALLS };

struct client {
  int descriptor;
  bool is_connected, is_open;  // open: what comes before requests is over
  uint64_t reconnect_at;       // 0 while there is a connection
  unsigned outstanding;
  uint64_t due[STREAMS_MAX];  // by stream; elsewhere the first is all
  uint32_t next_stream;
  uint8_t message[MESSAGE_BYTES];
  size_t received;
  uint8_t buffer[BUFFER_BYTES];
};

static enum protocol protocol;
static const char *host, *path;
static int port, poller;
static char head[2048];  // the request, or what asks for a WebSocket
static size_t head_bytes;
static const char *calls, *calls_end, *next_call;
static uint64_t calls_left = UINT64_MAX;
static uint32_t *samples;  // microseconds
static uint64_t sample_count, failed, cut, refused, printed, sent;

static unsigned streams_at_once(void) { return protocol == HTTP2 ? STREAMS_MAX / 2 : 1; }

static void open_connection(struct client *client) {
  client->descriptor = connect_loopback(port);
  client->is_connected = client->is_open = false;
  client->reconnect_at = 0;
  client->received = 0;
  client->outstanding = 0;
  client->next_stream = 1;
  memset(client->due, 0, sizeof client->due);
  watch(poller, client->descriptor, client);
}

static void lose_connection(struct client *client, const char *why) {
  if (client->is_open) cut += 1;
  else refused += 1;
  failed += client->outstanding;
  if (printed++ < REPORTS_MAX) {
    fprintf(stderr, "a connection ended (%s) with %u requests on it\n", why, client->outstanding);
  }
  close(client->descriptor);
  client->descriptor = -1;
  client->is_open = client->is_connected = false;
  client->outstanding = 0;
  client->reconnect_at = nanoseconds() + RECONNECT_NANOSECONDS;
}

static void send_bytes(struct client *client, const void *bytes, size_t count) {
  // What is sent is small beside the socket's buffer; a connection that takes no more counts as lost.
  if (write(client->descriptor, bytes, count) != (ssize_t)count) lose_connection(client, strerror(errno));
}

static void complete(struct client *client, uint64_t due, bool succeeded) {
  client->outstanding -= 1;
  if (!succeeded) {
    failed += 1;
    if (printed++ < REPORTS_MAX) fprintf(stderr, "failed: %.600s\n", (const char *)client->buffer);
  }
  if (sample_count < SAMPLES_MAX) samples[sample_count++] = (uint32_t)((nanoseconds() - due) / 1000);
}

// The next request of the file, without the line before it.
static const char *take_call(size_t *bytes) {
  if (next_call >= calls_end) next_call = calls;
  char *line_end;
  *bytes = strtoul(next_call, &line_end, 10);
  const char *call = line_end + 1;
  if (*line_end != '\n' || call + *bytes > calls_end) fail("the file of calls is broken");
  next_call = call + *bytes;
  return call;
}

static void send_message(struct client *client) {
  uint8_t frame[6 + MESSAGE_BYTES] = {0x82, 0x80 | MESSAGE_BYTES};
  memcpy(frame + 2, &sent, 4);  // the mask
  for (size_t index = 0; index < MESSAGE_BYTES; index++) {
    client->message[index] = (uint8_t)(sent * 31 + index);
    frame[6 + index] = client->message[index] ^ frame[2 + (index & 3)];
  }
  send_bytes(client, frame, sizeof frame);
}

static void send_stream(struct client *client, uint64_t due) {
  size_t path_bytes = strlen(path), host_bytes = strlen(host);
  uint32_t stream = client->next_stream;
  client->next_stream += 2;
  client->due[stream / 2 % STREAMS_MAX] = due;
  // HPACK (RFC 7541 appendix A): GET, http; :path and :authority as literals that are not indexed.
  uint8_t frame[9 + 512] = {0, 0, 0, 1, 5, stream >> 24, stream >> 16, stream >> 8, stream, 0x82, 0x86, 0x04};
  size_t length = 12;
  frame[length++] = (uint8_t)path_bytes;
  memcpy(frame + length, path, path_bytes);
  length += path_bytes;
  frame[length++] = 0x01;
  frame[length++] = (uint8_t)host_bytes;
  memcpy(frame + length, host, host_bytes);
  length += host_bytes;
  frame[1] = (uint8_t)((length - 9) >> 8);
  frame[2] = (uint8_t)(length - 9);
  send_bytes(client, frame, length);
}

static void send_request(struct client *client, uint64_t due) {
  client->outstanding += 1;
  client->due[0] = due;
  sent += 1;
  if (protocol == HTTP2) {
    send_stream(client, due);
  } else if (protocol == WEBSOCKET) {
    send_message(client);
  } else if (protocol == CALLS) {
    size_t bytes;
    const char *call = take_call(&bytes);
    send_bytes(client, call, bytes);
  } else {
    send_bytes(client, head, head_bytes);
  }
}

// Removes what has been read from the front of the buffer.
static void consume(struct client *client, size_t count) {
  client->received -= count;
  memmove(client->buffer, client->buffer + count, client->received);
}

// A whole HTTP/1.1 response at the front of the buffer: its bytes, or 0.
static size_t whole_response(struct client *client) {
  client->buffer[client->received] = '\0';
  char *text = (char *)client->buffer, *content = strstr(text, "\r\n\r\n");
  if (content == NULL) return 0;
  content += 4;
  size_t bytes = (size_t)(content - text);
  char *length = strcasestr(text, "\r\ncontent-length:");
  char *coding = strcasestr(text, "\r\ntransfer-encoding:");
  if (length != NULL && length < content) {
    bytes += strtoul(length + 17, NULL, 10);
  } else if (coding != NULL && coding < content) {
    char *end = strstr(content - 2, "\r\n0\r\n\r\n");
    if (end == NULL) return 0;
    bytes = (size_t)(end + 7 - text);
  }
  return bytes <= client->received ? bytes : 0;
}

static void read_http1(struct client *client) {
  size_t bytes = whole_response(client);
  if (bytes == 0) return;
  if (client->outstanding == 0) return lose_connection(client, "a response to nothing");
  bool succeeded = memcmp(client->buffer, "HTTP/1.1 2", 10) == 0;
  complete(client, client->due[0], succeeded && (protocol == CALLS || client->buffer[10] == '0'));
  consume(client, bytes);
}

static void read_websocket(struct client *client) {
  if (!client->is_open) {
    client->buffer[client->received] = '\0';
    char *end = strstr((char *)client->buffer, "\r\n\r\n");
    if (end == NULL) return;
    if (memcmp(client->buffer, "HTTP/1.1 101", 12) != 0) return lose_connection(client, "not upgraded");
    consume(client, (size_t)(end + 4 - (char *)client->buffer));
    client->is_open = true;
  }
  if (client->received == 0) return;
  if (client->buffer[0] != 0x82) return lose_connection(client, "a frame that is no echo");
  if (client->received < 2 + MESSAGE_BYTES) return;
  bool same = client->outstanding == 1 && client->buffer[1] == MESSAGE_BYTES &&
              memcmp(client->buffer + 2, client->message, MESSAGE_BYTES) == 0;
  if (client->outstanding == 0) return lose_connection(client, "an echo of nothing");
  complete(client, client->due[0], same);
  consume(client, 2 + MESSAGE_BYTES);
}

// Whether a block of fields begins with ":status: 200" (RFC 7541 appendix A, index 8), after updates of the
// table's size (section 6.3).
static bool is_status_200(const uint8_t *block, size_t bytes) {
  size_t index = 0;
  while (index < bytes && (block[index] & 0xe0) == 0x20) {
    bool goes_on = (block[index++] & 0x1f) == 0x1f;
    while (goes_on && index < bytes) goes_on = (block[index++] & 0x80) != 0;
  }
  return index < bytes && block[index] == 0x88;
}

static void read_frame(struct client *client, uint8_t type, uint8_t flags, uint32_t stream, uint8_t *content,
                       size_t bytes) {
  static const uint8_t settings_ack[9] = {0, 0, 0, 4, 1, 0, 0, 0, 0};
  uint64_t *slot = &client->due[stream / 2 % STREAMS_MAX], due = *slot;  // 0: it is over
  if (type == 4 && (flags & 1) == 0) {
    send_bytes(client, settings_ack, sizeof settings_ack);
    client->is_open = true;
  } else if (type == 6 && (flags & 1) == 0 && bytes == 8) {
    uint8_t ack[17] = {0, 0, 8, 6, 1};
    memcpy(ack + 9, content, 8);
    send_bytes(client, ack, sizeof ack);
  } else if (type == 7) {
    lose_connection(client, "GOAWAY");
  } else if (due == 0) {
    return;
  } else if (type == 3) {
    *slot = 0;
    complete(client, due, false);
  } else if (type == 1 && !is_status_200(content, bytes)) {
    complete(client, due, false);
    lose_connection(client, "a status that is not 200");
  } else if ((type == 0 || type == 1) && (flags & 1) != 0) {
    *slot = 0;
    complete(client, due, true);
  }
}

static void read_http2(struct client *client) {
  size_t start = 0;
  while (client->descriptor >= 0 && client->received - start >= 9) {
    uint8_t *frame = client->buffer + start;
    size_t bytes = (size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2];
    if (client->received - start < 9 + bytes) break;
    uint32_t stream = ((uint32_t)frame[5] << 24 | (uint32_t)frame[6] << 16 | (uint32_t)frame[7] << 8 | frame[8]);
    read_frame(client, frame[3], frame[4], stream, frame + 9, bytes);
    start += 9 + bytes;
  }
  if (client->descriptor >= 0) consume(client, start);
}

static void receive(struct client *client) {
  while (client->descriptor >= 0) {
    size_t space = BUFFER_BYTES - 1 - client->received;
    if (space == 0) return lose_connection(client, "too much was received");
    ssize_t count = read(client->descriptor, client->buffer + client->received, space);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return lose_connection(client, count < 0 ? strerror(errno) : "closed");
    client->received += (size_t)count;
    if (protocol == HTTP2) read_http2(client);
    else if (protocol == WEBSOCKET) read_websocket(client);
    else read_http1(client);
  }
}

static void begin(struct client *client) {
  static const uint8_t preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                                   "\0\0\0\4\0\0\0\0\0"                       // SETTINGS, with nothing
                                   "\0\0\4\10\0\0\0\0\0\177\376\377\377";  // WINDOW_UPDATE to nearly 2^31
  client->is_connected = true;
  if (protocol == HTTP2) send_bytes(client, preface, sizeof preface - 1);
  else if (protocol == WEBSOCKET) send_bytes(client, head, head_bytes);
  else client->is_open = true;
}

static int compare_samples(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static uint32_t percentile(double share) {
  return sample_count == 0 ? 0 : samples[(uint64_t)((double)(sample_count - 1) * share)];
}

static void end_window(struct client *clients, long count, uint64_t since) {
  long open = 0;
  for (long index = 0; index < count; index++) open += clients[index].is_open;
  qsort(samples, sample_count, sizeof *samples, compare_samples);
  printf("{\"requests\": %lu, \"failed\": %lu, \"cut\": %lu, \"refused\": %lu, \"open\": %ld, \"seconds\": %.3f, "
         "\"p50Microseconds\": %u, \"p99Microseconds\": %u, \"p999Microseconds\": %u, \"maxMicroseconds\": %u}\n",
         sample_count, failed, cut, refused, open, (double)(nanoseconds() - since) / 1e9, percentile(0.5),
         percentile(0.99), percentile(0.999), percentile(1));
  fflush(stdout);
  sample_count = failed = cut = refused = 0;
}

// Sends what is due over connections that are free, in turn; returns when the next is due.
static uint64_t send_due(struct client *clients, long count, uint64_t due, uint64_t interval) {
  static long turn;
  uint64_t now = nanoseconds();
  for (long tried = 0; due <= now && tried < count && calls_left > 0; turn = (turn + 1) % count) {
    struct client *client = &clients[turn];
    tried += 1;
    if (!client->is_open || client->outstanding >= streams_at_once()) continue;
    send_request(client, due);
    calls_left -= 1;
    due += interval;
    tried = 0;
  }
  return due;
}

static unsigned outstanding_requests(struct client *clients, long count) {
  unsigned outstanding = 0;
  for (long index = 0; index < count; index++) outstanding += clients[index].outstanding;
  return outstanding;
}

// Opens again what was lost a moment ago.
static void reconnect(struct client *clients, long count, uint64_t now) {
  for (long index = 0; index < count; index++) {
    if (clients[index].reconnect_at != 0 && now > clients[index].reconnect_at) open_connection(&clients[index]);
  }
}

static void run(struct client *clients, long count, long rate, long seconds_max) {
  uint64_t interval = 1000000000u / (uint64_t)rate, started = nanoseconds(), window = started;
  uint64_t due = started + 100000000u, end = started + (uint64_t)seconds_max * 1000000000u;
  struct epoll_event events[256];
  for (long index = 0; index < count; index++) open_connection(&clients[index]);
  struct epoll_event input = {.events = EPOLLIN};  // its owner is NULL
  epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input);
  while (nanoseconds() < end) {
    due = send_due(clients, count, due, interval);
    uint64_t now = nanoseconds(), wait = due > now ? due - now : 1000000;
    if (calls_left == 0) wait = 1000000;
    struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)};
    int ready = epoll_pwait2(poller, events, 256, &timeout, NULL);
    for (int index = 0; index < ready; index++) {
      struct client *client = events[index].data.ptr;
      if (client == NULL) {
        char line[64];
        if (read(STDIN_FILENO, line, sizeof line) <= 0) return end_window(clients, count, window);
        end_window(clients, count, window);
        window = nanoseconds();
        continue;
      }
      if (client->descriptor < 0) continue;
      if (!client->is_connected && (events[index].events & (EPOLLERR | EPOLLHUP)) != 0) {
        lose_connection(client, "refused");
      } else if (!client->is_connected && (events[index].events & EPOLLOUT) != 0) {
        begin(client);
      }
      receive(client);
    }
    reconnect(clients, count, now);
    if (calls_left == 0 && outstanding_requests(clients, count) == 0) break;
  }
  end_window(clients, count, window);
}

static void map_calls(const char *file) {
  int descriptor = open(file, O_RDONLY | O_CLOEXEC);
  struct stat about;
  if (descriptor < 0 || fstat(descriptor, &about) < 0) fail("%s: %s", file, strerror(errno));
  calls = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (calls == MAP_FAILED) fail("%s: %s", file, strerror(errno));
  calls_end = calls + about.st_size;
  next_call = calls;
}

int main(int count, char **arguments) {
  if (count != 8) {
    fail("usage: %s http1|http2|websocket|calls HOST PORT PATH CONNECTIONS RATE SECONDS_MAX", arguments[0]);
  }
  static const char *names[] = {"http1", "http2", "websocket", "calls"};
  while (protocol <= CALLS && strcmp(arguments[1], names[protocol]) != 0) protocol++;
  if (protocol > CALLS) fail("no such protocol: %s", arguments[1]);
  host = arguments[2];
  port = (int)number_argument(arguments[3], "PORT", 1, 65535);
  path = arguments[4];
  long connections = number_argument(arguments[5], "CONNECTIONS", 1, 10000);
  long rate = number_argument(arguments[6], "RATE", 1, 1000000);
  long seconds_max = number_argument(arguments[7], "SECONDS_MAX", 1, 3600);
  if (protocol == HTTP2 && (strlen(host) > 120 || strlen(path) > 120)) fail("HOST or PATH is too long");
  if (protocol == CALLS) {
    map_calls(host);
    calls_left = (uint64_t)number_argument(path, "COUNT", 1, 100000000);
  }
  head_bytes = (size_t)snprintf(
      head, sizeof head, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", path, host, protocol == WEBSOCKET
          ? "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" : "");
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct client *clients = calloc((size_t)connections, sizeof *clients);
  samples = malloc(SAMPLES_MAX * sizeof *samples);
  if (poller < 0 || clients == NULL || samples == NULL) fail("out of memory or descriptors");
  run(clients, connections, rate, seconds_max);
  return 0;
}
