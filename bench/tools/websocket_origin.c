// An origin that answers every handshake of WebSocket and echoes every message; also a 200 for other requests,
// so that the harness sees when a proxy is ready.
//
//   websocket_origin PORT
//
// Only what websocket_load sends: whole, masked messages of at most 125 bytes.
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "common.h"

enum { BUFFER_BYTES = 4096 };

struct connection {
  int descriptor;
  bool is_open;
  size_t received;
  char buffer[BUFFER_BYTES];
};

static int poller;

static void drop(struct connection *connection) {
  close(connection->descriptor);
  free(connection);
}

static bool send_all(struct connection *connection, const void *bytes, size_t count) {
  return write(connection->descriptor, bytes, count) == (ssize_t)count;
}

// Sec-WebSocket-Accept (RFC 6455 section 4.2.2).
static void accept_value(const char *key, size_t key_length, char value[32]) {
  static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  unsigned char text[128], digest[SHA_DIGEST_LENGTH];
  if (key_length > 64) key_length = 64;
  memcpy(text, key, key_length);
  memcpy(text + key_length, suffix, sizeof suffix - 1);
  SHA1(text, key_length + sizeof suffix - 1, digest);
  EVP_EncodeBlock((unsigned char *)value, digest, sizeof digest);
}

// Answers a request's head; false when the connection is to be closed.
static bool answer(struct connection *connection, size_t head_bytes) {
  char *key = strcasestr(connection->buffer, "\r\nSec-WebSocket-Key:");
  if (key == NULL || key > connection->buffer + head_bytes) {
    char response[256];
    int length = snprintf(response, sizeof response, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n%0100d", 0);
    return send_all(connection, response, (size_t)length);
  }
  key += strlen("\r\nSec-WebSocket-Key:");
  key += strspn(key, " ");
  char value[32], response[256];
  accept_value(key, strcspn(key, " \r\n"), value);
  int length = snprintf(response, sizeof response,
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", value);
  connection->is_open = true;
  return send_all(connection, response, (size_t)length);
}

// Takes one frame from the front; its length, 0 when it is not whole, or -1 to close.
static int echo_frame(struct connection *connection, uint8_t *frame, size_t available) {
  if (available < 6) return 0;
  size_t length = frame[1] & 0x7f;
  if ((frame[1] & 0x80) == 0 || length > 125) return -1;
  if (available < 6 + length) return 0;
  uint8_t *content = frame + 6, answer_frame[2 + 125] = {frame[0], (uint8_t)length};
  for (size_t index = 0; index < length; index++) answer_frame[2 + index] = content[index] ^ frame[2 + (index & 3)];
  if (!send_all(connection, answer_frame, 2 + length) || (frame[0] & 0x0f) == 8) return -1;
  return (int)(6 + length);
}

// Handles what is in the buffer; false when the connection is to be closed.
static bool handle(struct connection *connection) {
  size_t position = 0;
  while (position < connection->received) {
    if (!connection->is_open) {
      connection->buffer[connection->received] = '\0';
      char *end = strstr(connection->buffer + position, "\r\n\r\n");
      if (end == NULL) break;
      size_t head_bytes = (size_t)(end + 4 - connection->buffer);
      if (!answer(connection, head_bytes)) return false;
      position = head_bytes;
    } else {
      int length = echo_frame(
          connection, (uint8_t *)connection->buffer + position, connection->received - position);
      if (length < 0) return false;
      if (length == 0) break;
      position += (size_t)length;
    }
  }
  memmove(connection->buffer, connection->buffer + position, connection->received - position);
  connection->received -= position;
  return connection->received < BUFFER_BYTES - 1;
}

static void serve(struct connection *connection) {
  while (true) {
    size_t space = BUFFER_BYTES - 1 - connection->received;
    ssize_t count = read(connection->descriptor, connection->buffer + connection->received, space);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return drop(connection);
    connection->received += (size_t)count;
    if (!handle(connection)) return drop(connection);
    if ((size_t)count < space) return;
  }
}

static void accept_all(int listener) {
  while (true) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return;
    int one = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *connection = malloc(sizeof *connection);
    if (connection == NULL) fail("out of memory");
    connection->descriptor = descriptor;
    connection->is_open = false;
    connection->received = 0;
    watch(poller, descriptor, connection);
  }
}

int main(int count, char **arguments) {
  if (count != 2) fail("usage: %s PORT", arguments[0]);
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  int listener = listen_loopback((int)number_argument(arguments[1], "PORT", 1, 65535));
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
