// Clients of TLS 1.3: a handshake for every request (full or resumed), or connections that stay idle.
//
//   tls_load full|resumed HOST PORT PATH BYTES CONNECTIONS SECONDS
//   tls_load idle         HOST PORT PATH BYTES CONNECTIONS SECONDS_MAX
//
// Every client offers TLS_AES_128_GCM_SHA256, X25519 and ECDSA with P-256 alone, so that all servers do the
// same arithmetic. A response must be a 200 with BYTES bytes of content. `full` fails when a session was
// resumed, `resumed` when one was not (after the first of each client); both print one line of JSON.
// `idle` prints "READY" when every connection has had a response, waits for a line on its standard input, and
// prints how many are still open.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include "common.h"

enum { BUFFER_BYTES = 4096, OPENING_AT_ONCE = 200, SECONDS_GRACE = 10 };

enum mode { MODE_FULL, MODE_RESUMED, MODE_IDLE };

struct client {
  int descriptor;
  SSL *ssl;
  SSL_SESSION *session;
  bool has_offered_session, is_connected, has_requested;
  uint64_t started;
  size_t received;
  char buffer[BUFFER_BYTES];
};

static enum mode mode;
static const char *host;
static int port, poller;
static size_t content_bytes;
static char request[1024];
static int request_length;
static SSL_CTX *context;
static struct durations durations;
static uint64_t request_count, resumed_count, full_count, ticket_count;

static int keep_session(SSL *ssl, SSL_SESSION *session) {
  struct client *client = SSL_get_app_data(ssl);
  ticket_count += 1;
  if (mode != MODE_RESUMED) return 0;
  SSL_SESSION_free(client->session);
  client->session = session;  // its reference is ours now
  return 1;
}

static void make_context(void) {
  context = SSL_CTX_new(TLS_client_method());
  if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(context, "X25519") != 1 ||
      SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256") != 1) {
    fail("OpenSSL refuses the settings");
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, keep_session);
}

static void start_client(struct client *client) {
  client->descriptor = connect_loopback(port);
  client->ssl = SSL_new(context);
  if (client->ssl == NULL || SSL_set_fd(client->ssl, client->descriptor) != 1 ||
      SSL_set_tlsext_host_name(client->ssl, host) != 1) {
    fail("OpenSSL cannot make a connection");
  }
  SSL_set_app_data(client->ssl, client);
  SSL_set_connect_state(client->ssl);
  client->has_offered_session = client->session != NULL;
  if (client->session != NULL) {
    SSL_set_session(client->ssl, client->session);
    SSL_SESSION_free(client->session);  // a ticket is used once
    client->session = NULL;
  }
  client->is_connected = client->has_requested = false;
  client->received = 0;
  client->started = nanoseconds();
  watch(poller, client->descriptor, client);
}

// Whether the response is whole; ends the program unless it is the one that is expected.
static bool is_whole(struct client *client) {
  client->buffer[client->received] = '\0';
  const char *content = strstr(client->buffer, "\r\n\r\n");
  if (content == NULL) return false;
  if (strncmp(client->buffer, "HTTP/1.1 200", 12) != 0) fail("answered %.60s", client->buffer);
  size_t bytes = client->received - (size_t)(content + 4 - client->buffer);
  if (bytes > content_bytes) fail("%zu bytes of content, not %zu", bytes, content_bytes);
  return bytes == content_bytes;
}

static void count_handshake(struct client *client) {
  bool resumed = SSL_session_reused(client->ssl) == 1;
  if (mode == MODE_FULL && resumed) fail("a session was resumed");
  if (client->has_offered_session && !resumed) fail("a session was not resumed");
  if (resumed) resumed_count += 1;
  else full_count += 1;
}

// Goes as far as the socket allows; true when the exchange is over.
static bool advance(struct client *client) {
  if (!client->is_connected) {
    int result = SSL_connect(client->ssl);
    if (result != 1) {
      int error = SSL_get_error(client->ssl, result);
      if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return false;
      fail("handshake: %s", ERR_reason_error_string(ERR_peek_error()));
    }
    client->is_connected = true;
    count_handshake(client);
  }
  if (!client->has_requested) {
    if (SSL_write(client->ssl, request, request_length) != request_length) fail("a short write");
    client->has_requested = true;
  }
  while (true) {
    size_t space = BUFFER_BYTES - 1 - client->received;
    if (space == 0) fail("a response of more than %d bytes", BUFFER_BYTES - 1);
    int count = SSL_read(client->ssl, client->buffer + client->received, (int)space);
    if (count > 0) {
      client->received += (size_t)count;
      if (mode == MODE_IDLE && is_whole(client)) return true;
      continue;
    }
    int error = SSL_get_error(client->ssl, count);
    if (error == SSL_ERROR_WANT_READ) return false;
    // The server closes: in order, or (as some do after "Connection: close") without a close_notify.
    if (!is_whole(client)) fail("the connection ended early: %.60s", client->buffer);
    ERR_clear_error();
    return true;
  }
}

static void finish(struct client *client) {
  add_duration(&durations, nanoseconds() - client->started);
  request_count += 1;
  SSL_set_quiet_shutdown(client->ssl, 1);
  SSL_shutdown(client->ssl);
  SSL_free(client->ssl);
  client->ssl = NULL;
  if (mode != MODE_IDLE) close(client->descriptor);
}

static void run_handshakes(struct client *clients, long count, long seconds) {
  uint64_t start = nanoseconds(), end = start + (uint64_t)seconds * 1000000000u;
  long open = count;
  for (long index = 0; index < count; index++) start_client(&clients[index]);
  struct epoll_event events[256];
  while (open > 0) {
    int ready = epoll_wait(poller, events, 256, 1000);
    uint64_t now = nanoseconds();
    if (now > end + SECONDS_GRACE * 1000000000ull) fail("%ld requests were not answered", open);
    for (int index = 0; index < ready; index++) {
      struct client *client = events[index].data.ptr;
      if (client->ssl == NULL || !advance(client)) continue;
      finish(client);
      if (now < end) start_client(client);
      else open -= 1;
    }
  }
  double taken = (double)(nanoseconds() - start) / 1e9;
  printf("RESULT {\"requests\": %lu, \"seconds\": %.6f, \"socketErrors\": 0, \"statusErrors\": 0, "
         "\"p50Microseconds\": %.1f, \"p99Microseconds\": %.1f, \"full\": %lu, \"resumed\": %lu, "
         "\"tickets\": %lu}\n",
         request_count, taken, percentile_microseconds(&durations, 0.5),
         percentile_microseconds(&durations, 0.99), full_count, resumed_count, ticket_count);
}

static long open_connections(struct client *clients, long count) {
  long open = 0;
  for (long index = 0; index < count; index++) {
    struct pollfd poll_entry = {.fd = clients[index].descriptor, .events = POLLRDHUP};
    poll(&poll_entry, 1, 0);
    if ((poll_entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0) open += 1;
  }
  return open;
}

static void run_idle(struct client *clients, long count, long seconds_max) {
  uint64_t end = nanoseconds() + (uint64_t)seconds_max * 1000000000u;
  struct epoll_event events[256];
  for (long first = 0; first < count; first += OPENING_AT_ONCE) {
    long size = count - first < OPENING_AT_ONCE ? count - first : OPENING_AT_ONCE, waiting = size;
    for (long index = 0; index < size; index++) start_client(&clients[first + index]);
    while (waiting > 0) {
      if (nanoseconds() > end) fail("%ld connections were not served", waiting);
      int ready = epoll_wait(poller, events, 256, 1000);
      for (int index = 0; index < ready; index++) {
        struct client *client = events[index].data.ptr;
        if (client->ssl == NULL || !advance(client)) continue;
        finish(client);  // The socket stays open: the client's own memory is not the question.
        waiting -= 1;
      }
    }
  }
  printf("READY %ld\n", count);
  fflush(stdout);
  char line[16];
  if (fgets(line, sizeof line, stdin) == NULL) return;
  printf("OPEN %ld\n", open_connections(clients, count));
}

int main(int count, char **arguments) {
  if (count != 8) fail("usage: %s full|resumed|idle HOST PORT PATH BYTES CONNECTIONS SECONDS", arguments[0]);
  if (strcmp(arguments[1], "full") == 0) mode = MODE_FULL;
  else if (strcmp(arguments[1], "resumed") == 0) mode = MODE_RESUMED;
  else if (strcmp(arguments[1], "idle") == 0) mode = MODE_IDLE;
  else fail("%s is not full, resumed or idle", arguments[1]);
  host = arguments[2];
  port = (int)number_argument(arguments[3], "PORT", 1, 65535);
  content_bytes = (size_t)number_argument(arguments[5], "BYTES", 0, BUFFER_BYTES / 2);
  long connections = number_argument(arguments[6], "CONNECTIONS", 1, 20000);
  long seconds = number_argument(arguments[7], "SECONDS", 1, 120);
  request_length = snprintf(
      request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", arguments[4], host,
      mode == MODE_IDLE ? "" : "Connection: close\r\n");
  raise_descriptor_limit();
  make_context();
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct client *clients = calloc((size_t)connections, sizeof *clients);
  if (poller < 0 || clients == NULL) fail("out of memory or descriptors");
  if (mode == MODE_IDLE) run_idle(clients, connections, seconds);
  else run_handshakes(clients, connections, seconds);
  return 0;
}
