// Clients of WebSocket over HTTP/1.1, each of which sends a message and waits for its echo, again and again.
//
//   websocket_load HOST PORT PATH BYTES CONNECTIONS SECONDS
//
// Every message has other bytes and another mask, and every echo is compared. Prints one line of JSON, in which
// a request is a message and its echo.
#include "common.h"

enum { MESSAGE_BYTES_MAX = 125, OPENING_AT_ONCE = 100, SECONDS_GRACE = 10 };

struct client {
  int descriptor;
  bool has_requested, is_open;
  uint32_t number;  // what the message at hand is made of
  uint64_t started;
  size_t received;
  char buffer[512];
};

static int poller;
static size_t message_bytes;
static char request[1024];
static int request_length;
static struct durations durations;
static uint64_t message_count;

static void send_all(struct client *client, const void *bytes, size_t count) {
  // What is sent is small, and one at a time: it always fits the socket's buffer.
  if (write(client->descriptor, bytes, count) != (ssize_t)count) fail("a short write: %s", strerror(errno));
}

static uint32_t scrambled(uint32_t value) {
  value ^= value << 13;
  value ^= value >> 17;
  return value ^ value << 5;
}

static void send_message(struct client *client) {
  uint8_t frame[6 + MESSAGE_BYTES_MAX] = {0x82, (uint8_t)(0x80 | message_bytes)};
  client->number = scrambled(client->number);
  memcpy(frame + 2, &client->number, 4);
  uint8_t byte = (uint8_t)client->number;
  for (size_t index = 0; index < message_bytes; index++) {
    frame[6 + index] = (uint8_t)(byte + index) ^ frame[2 + (index & 3)];
  }
  client->started = nanoseconds();
  send_all(client, frame, 6 + message_bytes);
}

static void check_echo(struct client *client) {
  const uint8_t *frame = (const uint8_t *)client->buffer;
  if (frame[0] != 0x82 || frame[1] != message_bytes) fail("not the echo: %02x %02x", frame[0], frame[1]);
  uint8_t byte = (uint8_t)client->number;
  for (size_t index = 0; index < message_bytes; index++) {
    if (frame[2 + index] != (uint8_t)(byte + index)) fail("an echo differs at byte %zu", index);
  }
}

// Reads what there is; true when an echo (or, before that, the answer to the handshake) is whole.
static bool receive(struct client *client, size_t wanted) {
  while (client->received < sizeof client->buffer - 1) {
    ssize_t count =
        read(client->descriptor, client->buffer + client->received, sizeof client->buffer - 1 - client->received);
    if (count < 0 && errno == EAGAIN) return false;
    if (count <= 0) fail("a connection ended: %s", count < 0 ? strerror(errno) : client->buffer);
    client->received += (size_t)count;
    client->buffer[client->received] = '\0';
    if (wanted > 0 ? client->received >= wanted : strstr(client->buffer, "\r\n\r\n") != NULL) return true;
  }
  fail("too much was received: %.60s", client->buffer);
}

static void finish_handshake(struct client *client) {
  if (strncmp(client->buffer, "HTTP/1.1 101", 12) != 0) fail("answered %.60s", client->buffer);
  // The sample key of RFC 6455 section 1.3, and its answer.
  if (strstr(client->buffer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") == NULL) fail("no Sec-WebSocket-Accept");
  client->is_open = true;
  client->received = 0;
}


// Opens all connections, some at a time: each is upgraded before the first message of any.
static void open_clients(struct client *clients, long count, int port) {
  struct epoll_event events[256];
  uint64_t end = nanoseconds() + SECONDS_GRACE * 1000000000ull;
  long started = 0, open = 0;
  while (open < count) {
    for (; started < count && started - open < OPENING_AT_ONCE; started++) {
      clients[started].number = (uint32_t)started * 2654435761u + 1;
      clients[started].descriptor = connect_loopback(port);
      watch(poller, clients[started].descriptor, &clients[started]);
    }
    if (nanoseconds() > end) fail("%ld connections were not upgraded", count - open);
    int ready = epoll_wait(poller, events, 256, 1000);
    for (int index = 0; index < ready; index++) {
      struct client *client = events[index].data.ptr;
      if (!client->has_requested && (events[index].events & EPOLLOUT) != 0) {
        send_all(client, request, (size_t)request_length);
        client->has_requested = true;
      }
      if (client->has_requested && !client->is_open && receive(client, 0)) {
        finish_handshake(client);
        open += 1;
      }
    }
  }
}

static void exchange_messages(struct client *clients, long count, long seconds) {
  struct epoll_event events[256];
  uint64_t start = nanoseconds(), end = start + (uint64_t)seconds * 1000000000u;
  long waiting = count;
  for (long index = 0; index < count; index++) send_message(&clients[index]);
  while (waiting > 0) {
    int ready = epoll_wait(poller, events, 256, 1000);
    uint64_t now = nanoseconds();
    if (now > end + SECONDS_GRACE * 1000000000ull) fail("%ld messages were not echoed", waiting);
    for (int index = 0; index < ready; index++) {
      struct client *client = events[index].data.ptr;
      if (!receive(client, 2 + message_bytes)) continue;
      if (client->received != 2 + message_bytes) fail("more than the echo came");
      check_echo(client);
      add_duration(&durations, nanoseconds() - client->started);
      message_count += 1;
      client->received = 0;
      if (now < end) send_message(client);
      else waiting -= 1;
    }
  }
  double taken = (double)(nanoseconds() - start) / 1e9;
  printf("RESULT {\"requests\": %lu, \"seconds\": %.6f, \"socketErrors\": 0, \"statusErrors\": 0, "
         "\"p50Microseconds\": %.1f, \"p99Microseconds\": %.1f}\n",
         message_count, taken, percentile_microseconds(&durations, 0.5),
         percentile_microseconds(&durations, 0.99));
}

int main(int count, char **arguments) {
  if (count != 7) fail("usage: %s HOST PORT PATH BYTES CONNECTIONS SECONDS", arguments[0]);
  int port = (int)number_argument(arguments[2], "PORT", 1, 65535);
  message_bytes = (size_t)number_argument(arguments[4], "BYTES", 1, MESSAGE_BYTES_MAX);
  long connections = number_argument(arguments[5], "CONNECTIONS", 1, 20000);
  long seconds = number_argument(arguments[6], "SECONDS", 1, 120);
  request_length = snprintf(
      request, sizeof request,
      "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      arguments[3], arguments[1]);
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct client *clients = calloc((size_t)connections, sizeof *clients);
  if (poller < 0 || clients == NULL) fail("out of memory or descriptors");
  open_clients(clients, connections, port);
  exchange_messages(clients, connections, seconds);
  // Each is closed in order (RFC 6455 section 7.1.1), though nobody waits for the answers.
  static const uint8_t close_frame[] = {0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8};
  for (long index = 0; index < connections; index++) send_all(&clients[index], close_frame, sizeof close_frame);
  return 0;
}
