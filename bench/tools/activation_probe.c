// Measures how long a change takes from its beginning to the first response that it makes possible.
//
//   activation_probe http|https PORT ADMIN_PORT PATH SECONDS_MAX PAUSE_MICROSECONDS
//
// Between two attempts it pauses: short where the time counts, longer where what is measured shares its cores.
//
// Each line of standard input is a command, answered by a line of JSON. LEAF is the SHA-256 of the certificate
// that must be served, in hexadecimal, or "-" for any.
//
//   exchange HOST LEAF                 a connection (with a full handshake) and a request: what a probe costs
//   call-wait HOST LEAF LENGTH         sends the LENGTH bytes that follow to the admin address, waits for the
//                                      answer, and then makes one exchange, which must succeed
//   call-poll HOST LEAF LENGTH         the same without waiting for the answer: exchanges until one succeeds
//   rename-poll HOST LEAF FROM TO      renames a file, then the same
//   poll HOST LEAF NANOSECONDS         the same for a change that began at this time (CLOCK_MONOTONIC)
//
// A success is a status of 200 with that certificate. The answer's members: "nanoseconds" from the beginning to
// the success, "answer" to the admin address's answer (0 where nobody waited for it), "attempts", "status" of
// the admin's answer, "error" where there was no success.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/prctl.h>

#include "common.h"

enum { BUFFER_BYTES = 16384, LINE_BYTES_MAX = 8192, CALL_BYTES_MAX = 256 << 20 };

static bool is_https;
static int port, admin_port, admin_socket = -1;
static const char *path;
static uint64_t nanoseconds_max;
static useconds_t pause_microseconds;
static SSL_CTX *context;
static char last_error[256];

static bool miss(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(last_error, sizeof last_error, format, arguments);
  va_end(arguments);
  for (char *byte = last_error; *byte != '\0'; byte++) {
    if (*byte == '"' || *byte == '\\' || (unsigned char)*byte < ' ') *byte = ' ';  // it goes into JSON
  }
  return false;
}

// A blocking connection; reads and writes give up after some seconds.
static int connect_blocking(int to) {
  int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) fail("socket: %s", strerror(errno));
  int one = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct timeval seconds = {.tv_sec = (time_t)(nanoseconds_max / 1000000000u)};
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &seconds, sizeof seconds);
  setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &seconds, sizeof seconds);
  struct sockaddr_in address = loopback(to);
  if (connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) {
    miss("connect: %s", strerror(errno));
    close(descriptor);
    return -1;
  }
  return descriptor;
}

static bool is_leaf(SSL *ssl, const char *leaf) {
  if (strcmp(leaf, "-") == 0) return true;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned bytes = 0;
  X509 *certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == NULL || X509_digest(certificate, EVP_sha256(), digest, &bytes) != 1) return false;
  for (unsigned index = 0; index < bytes; index++) {
    char hexadecimal[3];
    snprintf(hexadecimal, sizeof hexadecimal, "%02x", digest[index]);
    if (strncmp(leaf + 2 * (size_t)index, hexadecimal, 2) != 0) return false;
  }
  return true;
}

static bool request_over(int descriptor, SSL *ssl, const char *host) {
  char buffer[BUFFER_BYTES];
  int bytes = snprintf(
      buffer, sizeof buffer, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", path, host);
  int sent = ssl != NULL ? SSL_write(ssl, buffer, bytes) : (int)write(descriptor, buffer, (size_t)bytes);
  if (sent != bytes) return miss("the request could not be sent");
  int received = ssl != NULL ? SSL_read(ssl, buffer, BUFFER_BYTES - 1)
                             : (int)read(descriptor, buffer, BUFFER_BYTES - 1);
  if (received < 12) return miss("no response");
  buffer[received] = '\0';
  if (strncmp(buffer, "HTTP/1.1 200", 12) != 0 && strncmp(buffer, "HTTP/1.0 200", 12) != 0) {
    return miss("answered %.40s", buffer);
  }
  return true;
}

static bool request_by_tls(int descriptor, const char *host, const char *leaf) {
  SSL *ssl = SSL_new(context);
  if (ssl == NULL || SSL_set_fd(ssl, descriptor) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1) {
    fail("OpenSSL cannot make a connection");
  }
  bool succeeded;
  if (SSL_connect(ssl) != 1) {
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    succeeded = miss("handshake: %s", reason != NULL ? reason : "the connection ended");
  } else if (!is_leaf(ssl, leaf)) {
    succeeded = miss("another certificate was served");
  } else {
    succeeded = request_over(descriptor, ssl, host);
  }
  ERR_clear_error();
  SSL_set_quiet_shutdown(ssl, 1);
  SSL_free(ssl);
  return succeeded;
}

static bool exchange(const char *host, const char *leaf) {
  int descriptor = connect_blocking(port);
  if (descriptor < 0) return false;
  bool succeeded = is_https ? request_by_tls(descriptor, host, leaf) : request_over(descriptor, NULL, host);
  close(descriptor);
  return succeeded;
}

// Repeats until it succeeds; returns when that was, or 0.
static uint64_t poll_exchange(const char *host, const char *leaf, uint64_t started, long *attempts) {
  while (true) {
    *attempts += 1;
    bool succeeded = exchange(host, leaf);
    uint64_t now = nanoseconds();
    if (succeeded) return now;
    if (now - started > nanoseconds_max) return 0;
    usleep(pause_microseconds);
  }
}

static void connect_to_admin(void) {
  if (admin_socket < 0) admin_socket = connect_blocking(admin_port);
  if (admin_socket < 0) fail("the admin address: %s", last_error);
}

static void send_call(const char *call, size_t bytes) {
  while (bytes > 0) {
    ssize_t count = write(admin_socket, call, bytes);
    if (count <= 0) fail("the admin address took no call: %s", strerror(errno));
    call += count;
    bytes -= (size_t)count;
  }
}

// Reads an answer whole and returns its status; its content goes to standard error unless that is 2xx.
static int read_answer(void) {
  static char buffer[16 << 20];
  size_t received = 0, wanted = 0;
  char *content = NULL;
  while (content == NULL || received < wanted) {
    ssize_t count = received < sizeof buffer - 1
        ? read(admin_socket, buffer + received, sizeof buffer - 1 - received) : 0;
    if (count <= 0) fail("the admin address did not answer: %s", strerror(errno));
    received += (size_t)count;
    buffer[received] = '\0';
    if (content == NULL && (content = strstr(buffer, "\r\n\r\n")) != NULL) {
      content += 4;
      char *length = strcasestr(buffer, "\r\ncontent-length:");
      wanted = (size_t)(content - buffer);
      if (length != NULL && length < content) wanted += strtoul(length + 17, NULL, 10);
    }
  }
  int status = atoi(buffer + 9);
  if (status / 100 != 2) fprintf(stderr, "the admin address answered: %s\n", buffer);
  if (strcasestr(buffer, "\r\nconnection: close") != NULL) {
    close(admin_socket);
    admin_socket = -1;
  }
  return status;
}

static char *read_call(const char *length_text, size_t *bytes) {
  *bytes = (size_t)number_argument(length_text, "LENGTH", 1, CALL_BYTES_MAX);
  char *call = malloc(*bytes);
  if (call == NULL || fread(call, 1, *bytes, stdin) != *bytes) fail("a call is not whole");
  return call;
}

static void report(uint64_t started, uint64_t ended, uint64_t answered, long attempts, int status) {
  if (ended == 0) printf("{\"error\": \"%s\", \"attempts\": %ld, \"status\": %d}\n", last_error, attempts, status);
  else {
    printf("{\"nanoseconds\": %lu, \"answer\": %lu, \"attempts\": %ld, \"status\": %d}\n", ended - started,
           answered > 0 ? answered - started : 0, attempts, status);
  }
  fflush(stdout);
}

static void run_call(const char *host, const char *leaf, const char *length, bool waits) {
  size_t bytes;
  char *call = read_call(length, &bytes);
  connect_to_admin();
  long attempts = 0;
  int status = 0;
  uint64_t started = nanoseconds(), answered = 0, ended = 0;
  send_call(call, bytes);
  if (waits) {
    status = read_answer();
    answered = nanoseconds();
    attempts = 1;
    if (exchange(host, leaf)) ended = nanoseconds();
  } else {
    ended = poll_exchange(host, leaf, started, &attempts);
    status = read_answer();
  }
  free(call);
  report(started, ended, answered, attempts, status);
}

static void run_command(char *line) {
  char *words[5] = {0};
  int count = 0;
  for (char *word = strtok(line, " \n"); word != NULL && count < 5; word = strtok(NULL, " \n")) {
    words[count++] = word;
  }
  long attempts = 0;
  uint64_t started = nanoseconds();
  if (count == 3 && strcmp(words[0], "exchange") == 0) {
    bool succeeded = exchange(words[1], words[2]);
    report(started, succeeded ? nanoseconds() : 0, 0, 1, 0);
  } else if (count == 4 && strcmp(words[0], "call-wait") == 0) {
    run_call(words[1], words[2], words[3], true);
  } else if (count == 4 && strcmp(words[0], "call-poll") == 0) {
    run_call(words[1], words[2], words[3], false);
  } else if (count == 4 && strcmp(words[0], "poll") == 0) {
    started = strtoull(words[3], NULL, 10);
    uint64_t ended = poll_exchange(words[1], words[2], started, &attempts);
    report(started, ended, 0, attempts, 0);
  } else if (count == 5 && strcmp(words[0], "rename-poll") == 0) {
    if (rename(words[3], words[4]) < 0) fail("%s: %s", words[3], strerror(errno));
    uint64_t ended = poll_exchange(words[1], words[2], started, &attempts);
    report(started, ended, 0, attempts, 0);
  } else {
    fail("no such command: %s with %d words", words[0] != NULL ? words[0] : "", count);
  }
}

static void make_context(void) {
  context = SSL_CTX_new(TLS_client_method());
  if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_set1_groups_list(context, "X25519") != 1 ||
      SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256") != 1) {
    fail("OpenSSL refuses the settings");
  }
  // The certificate is compared byte by byte, and the handshake proves its key.
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

int main(int count, char **arguments) {
  if (count != 7) {
    fail("usage: %s http|https PORT ADMIN_PORT PATH SECONDS_MAX PAUSE_MICROSECONDS", arguments[0]);
  }
  is_https = strcmp(arguments[1], "https") == 0;
  port = (int)number_argument(arguments[2], "PORT", 1, 65535);
  admin_port = (int)number_argument(arguments[3], "ADMIN_PORT", 0, 65535);
  path = arguments[4];
  nanoseconds_max = (uint64_t)number_argument(arguments[5], "SECONDS_MAX", 1, 3600) * 1000000000u;
  pause_microseconds = (useconds_t)number_argument(arguments[6], "PAUSE_MICROSECONDS", 1, 999999);
  signal(SIGPIPE, SIG_IGN);
  prctl(PR_SET_TIMERSLACK, 1);  // a pause is as long as it says
  make_context();
  char line[LINE_BYTES_MAX];
  while (fgets(line, sizeof line, stdin) != NULL) run_command(line);
  return 0;
}
