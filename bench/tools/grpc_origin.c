// An origin of gRPC, as cheap as can be: HTTP/2 in clear text by prior knowledge, and the same answer to every
// request: content-type, a message, and the trailer grpc-status 0.
//
//   grpc_origin PORT MESSAGE_BYTES
//
// It reads frames, not header blocks: an answer that never differs needs none of what they say. Its own blocks
// are compressed as those of gRPC's servers are: the fields enter the dynamic table once, then are indexed.
#include "common.h"

enum {
  BUFFER_BYTES = 65536,
  FRAME_BYTES_MAX = 16384,
  PENDING_MAX = 1024,
  MESSAGE_BYTES_MAX = 4096,
  WINDOW_UPDATE_BYTES = 16384,
};
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

struct connection {
  int descriptor;
  bool has_preface, has_indexed, without_table, ends_stream;
  int64_t window;
  uint32_t unacknowledged;
  uint32_t pending[PENDING_MAX], pending_first, pending_count;  // streams that wait for the window
  size_t received, queued;
  uint8_t input[BUFFER_BYTES], output[4 * BUFFER_BYTES];
};

static int poller;
static uint8_t message[5 + MESSAGE_BYTES_MAX];
static uint32_t message_bytes;

static void drop(struct connection *connection) {
  close(connection->descriptor);
  free(connection);
}

static bool flush(struct connection *connection) {
  size_t sent = 0;
  while (sent < connection->queued) {
    ssize_t count = write(connection->descriptor, connection->output + sent, connection->queued - sent);
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) return false;
    sent += (size_t)count;
  }
  memmove(connection->output, connection->output + sent, connection->queued - sent);
  connection->queued -= sent;
  return true;
}

static void put(struct connection *connection, const void *bytes, size_t count) {
  if (connection->queued + count > sizeof connection->output) fail("the output does not fit");
  memcpy(connection->output + connection->queued, bytes, count);
  connection->queued += count;
}

static void put_frame(struct connection *connection, uint8_t type, uint8_t flags, uint32_t stream,
                      const void *payload, uint32_t length) {
  uint8_t head[9] = {(uint8_t)(length >> 16), (uint8_t)(length >> 8), (uint8_t)length, type, flags,
                     (uint8_t)(stream >> 24), (uint8_t)(stream >> 16), (uint8_t)(stream >> 8), (uint8_t)stream};
  put(connection, head, sizeof head);
  put(connection, payload, length);
}

// HPACK (RFC 7541): 0x88 is ":status: 200"; 0x5f is "content-type" with incremental indexing, 0x0f 0x10 without
// indexing; 0x40 and 0x00 are the same for a new name. After the first answer of a connection, 0xbf and 0xbe
// are the two entries of the dynamic table.
static const uint8_t first_head[] = "\x88\x5f\x10" "application/grpc";
static const uint8_t plain_head[] = "\x20\x88\x0f\x10\x10" "application/grpc";
static const uint8_t next_head[] = "\x88\xbf";
static const uint8_t first_trailers[] = "\x40\x0b" "grpc-status\x01" "0";
static const uint8_t plain_trailers[] = "\x00\x0b" "grpc-status\x01" "0";
static const uint8_t next_trailers[] = "\xbe";

static void send_answer(struct connection *connection, uint32_t stream) {
  const uint8_t *head = next_head, *trailers = next_trailers;
  uint32_t head_bytes = sizeof next_head - 1, trailers_bytes = sizeof next_trailers - 1;
  if (connection->without_table) {
    head = plain_head, head_bytes = sizeof plain_head - 1;
    trailers = plain_trailers, trailers_bytes = sizeof plain_trailers - 1;
  } else if (!connection->has_indexed) {
    head = first_head, head_bytes = sizeof first_head - 1;
    trailers = first_trailers, trailers_bytes = sizeof first_trailers - 1;
    connection->has_indexed = true;
  }
  put_frame(connection, HEADERS, END_HEADERS, stream, head, head_bytes);
  put_frame(connection, DATA, 0, stream, message, message_bytes);
  put_frame(connection, HEADERS, END_HEADERS | END_STREAM, stream, trailers, trailers_bytes);
  connection->window -= message_bytes;
}

static void answer(struct connection *connection, uint32_t stream) {
  if (connection->pending_count == 0 && connection->window >= message_bytes) {
    return send_answer(connection, stream);
  }
  if (connection->pending_count == PENDING_MAX) fail("too many streams wait for the window");
  uint32_t last = (connection->pending_first + connection->pending_count) % PENDING_MAX;
  connection->pending[last] = stream;
  connection->pending_count += 1;
}

static void open_window(struct connection *connection, uint32_t bytes) {
  connection->window += bytes;
  while (connection->pending_count > 0 && connection->window >= message_bytes) {
    send_answer(connection, connection->pending[connection->pending_first]);
    connection->pending_first = (connection->pending_first + 1) % PENDING_MAX;
    connection->pending_count -= 1;
  }
}

static uint32_t number(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void apply_settings(struct connection *connection, const uint8_t *payload, uint32_t length) {
  for (uint32_t position = 0; position + 6 <= length; position += 6) {
    uint16_t name = (uint16_t)(payload[position] << 8 | payload[position + 1]);
    uint32_t value = number(payload + position + 2);
    if (name == 1 && value < 4096) connection->without_table = true;
    if (name == 4 && value < message_bytes) fail("the peer's window is smaller than a message");
  }
  put_frame(connection, SETTINGS, ACK, 0, NULL, 0);
}

// Counts content, and gives its window back in large steps. Streams are short: theirs is enough.
static void take_data(struct connection *connection, uint32_t length) {
  connection->unacknowledged += length;
  if (connection->unacknowledged < WINDOW_UPDATE_BYTES) return;
  uint8_t increment[4] = {0, (uint8_t)(connection->unacknowledged >> 16),
                          (uint8_t)(connection->unacknowledged >> 8), (uint8_t)connection->unacknowledged};
  put_frame(connection, WINDOW_UPDATE, 0, 0, increment, 4);
  connection->unacknowledged = 0;
}

static void handle_frame(struct connection *connection, const uint8_t *frame, uint32_t length) {
  uint8_t type = frame[3], flags = frame[4];
  uint32_t stream = number(frame + 5) & 0x7fffffff;
  const uint8_t *payload = frame + 9;
  switch (type) {
    case DATA:
      take_data(connection, length);
      if (flags & END_STREAM) answer(connection, stream);
      break;
    case HEADERS:
      connection->ends_stream = (flags & END_STREAM) != 0;
      if ((flags & END_HEADERS) && connection->ends_stream) answer(connection, stream);
      break;
    case CONTINUATION:
      if ((flags & END_HEADERS) && connection->ends_stream) answer(connection, stream);
      break;
    case SETTINGS:
      if (!(flags & ACK)) apply_settings(connection, payload, length);
      break;
    case PING:
      if (!(flags & ACK)) put_frame(connection, PING, ACK, 0, payload, length);
      break;
    case WINDOW_UPDATE:
      if (stream == 0 && length == 4) open_window(connection, number(payload) & 0x7fffffff);
      break;
    default: break;
  }
}

// Handles whole frames; false when this is no connection of HTTP/2.
static bool handle(struct connection *connection) {
  static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  size_t position = 0;
  if (!connection->has_preface) {
    if (connection->received < sizeof preface - 1) return true;
    if (memcmp(connection->input, preface, sizeof preface - 1) != 0) return false;
    connection->has_preface = true;
    position = sizeof preface - 1;
    // SETTINGS_MAX_CONCURRENT_STREAMS: what the other end may rely on.
    put_frame(connection, SETTINGS, 0, 0, "\0\x03\0\0\x02\0", 6);
  }
  while (connection->received - position >= 9) {
    const uint8_t *frame = connection->input + position;
    uint32_t length = (uint32_t)frame[0] << 16 | (uint32_t)frame[1] << 8 | frame[2];
    if (length > FRAME_BYTES_MAX) return false;
    if (connection->received - position < 9 + length) break;
    handle_frame(connection, frame, length);
    position += 9 + length;
  }
  memmove(connection->input, connection->input + position, connection->received - position);
  connection->received -= position;
  return true;
}

static void serve(struct connection *connection) {
  while (true) {
    size_t space = BUFFER_BYTES - connection->received;
    ssize_t count = read(connection->descriptor, connection->input + connection->received, space);
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) return drop(connection);
    connection->received += (size_t)count;
    if (!handle(connection)) return drop(connection);
    if ((size_t)count < space) break;
  }
  if (!flush(connection)) drop(connection);
}

static void accept_all(int listener) {
  while (true) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    int one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) fail("out of memory");
    connection->descriptor = descriptor;
    connection->window = 65535;
    watch(poller, descriptor, connection);
  }
}

int main(int count, char **arguments) {
  if (count != 3) fail("usage: %s PORT MESSAGE_BYTES", arguments[0]);
  int port = (int)number_argument(arguments[1], "PORT", 1, 65535);
  uint32_t bytes = (uint32_t)number_argument(arguments[2], "MESSAGE_BYTES", 0, MESSAGE_BYTES_MAX);
  // The prefix of a message that is not compressed, then its length.
  message[3] = (uint8_t)(bytes >> 8);
  message[4] = (uint8_t)bytes;
  memset(message + 5, 'x', bytes);
  message_bytes = 5 + bytes;
  poller = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_loopback(port);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
  struct epoll_event events[256];
  while (true) {
    int ready = epoll_wait(poller, events, 256, -1);
    for (int index = 0; index < ready; index++) {
      if (events[index].data.ptr == NULL) accept_all(listener);
      else serve(events[index].data.ptr);
    }
  }
}
