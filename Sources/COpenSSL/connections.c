// Connections: handshakes, reading, writing, what was negotiated.

#include <string.h>

#include "internal.h"

static SSL *connection_new(cossl_context *context) {
  SSL *ssl = SSL_new(context->ssl);
  if (ssl == NULL) {
    ERR_clear_error();
    return NULL;
  }
  // SSL_set_bio takes one reference where both are the same.
  BIO_up_ref(context->bio);
  SSL_set_bio(ssl, context->bio, context->bio);
  return ssl;
}

SSL *cossl_server_new(cossl_context *context) {
  SSL *ssl = connection_new(context);
  if (ssl != NULL) SSL_set_accept_state(ssl);
  return ssl;
}

SSL *cossl_client_new(cossl_context *context, const char *sent_name, const char *verified_name, int is_address) {
  SSL *ssl = connection_new(context);
  if (ssl == NULL) return NULL;
  SSL_set_connect_state(ssl);
  int done = 1;
  if (sent_name != NULL) done = SSL_set_tlsext_host_name(ssl, sent_name) == 1;
  if (done && verified_name != NULL) {
    X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
    // RFC 9525 §2, §6.3: no common names, and wildcards for whole labels.
    X509_VERIFY_PARAM_set_hostflags(
        parameters, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    done = is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, verified_name)
                      : X509_VERIFY_PARAM_set1_host(parameters, verified_name, 0);
  }
  ERR_clear_error();
  if (done == 1) return ssl;
  SSL_free(ssl);
  return NULL;
}

void cossl_free(SSL *ssl) { SSL_free(ssl); }

static cossl_wire *wire_of(const SSL *ssl) { return cossl_context_of(ssl)->wire; }

static void begin(SSL *ssl) {
  cossl_wire *wire = wire_of(ssl);
  wire->alert = 0;
  wire->alert_was_received = 0;
  ERR_clear_error();
}

static int status_of(SSL *ssl, int result) {
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_NONE: return COSSL_DONE;
    case SSL_ERROR_WANT_READ: return COSSL_WANTS_READ;
    case SSL_ERROR_WANT_CLIENT_HELLO_CB: return COSSL_WANTS_HELLO;
    case SSL_ERROR_WANT_X509_LOOKUP: return COSSL_WANTS_CERTIFICATE;
    default: break;
  }
  cossl_wire *wire = wire_of(ssl);
  wire->error = ERR_peek_error();
  wire->verify_error = SSL_get_verify_result(ssl);
  ERR_clear_error();
  return COSSL_FAILED;
}

int cossl_handshake(SSL *ssl) {
  begin(ssl);
  cossl_thread_keys = wire_of(ssl)->keys;
  int result = SSL_do_handshake(ssl);
  cossl_thread_keys = NULL;
  return result == 1 ? COSSL_DONE : status_of(ssl, result);
}

ssize_t cossl_read(SSL *ssl, void *room, size_t count) {
  begin(ssl);
  size_t read;
  int result = SSL_read_ex(ssl, room, count, &read);
  if (result == 1) return (ssize_t)read;
  if ((SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0 && SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN) {
    return COSSL_DONE;
  }
  return status_of(ssl, result);
}

int cossl_peek(SSL *ssl) {
  begin(ssl);
  uint8_t byte;
  size_t read;
  int result = SSL_peek_ex(ssl, &byte, 1, &read);
  if (result == 1) return 1;
  if (SSL_get_error(ssl, result) == SSL_ERROR_ZERO_RETURN) return COSSL_DONE;
  return status_of(ssl, result);
}

int cossl_write(SSL *ssl, const void *bytes, size_t count) {
  begin(ssl);
  size_t written;
  int result = SSL_write_ex(ssl, bytes, count, &written);
  return result == 1 ? COSSL_DONE : status_of(ssl, result);
}

void cossl_write_close(SSL *ssl) {
  begin(ssl);
  SSL_shutdown(ssl);
  ERR_clear_error();
}

size_t cossl_pending(const SSL *ssl) { return (size_t)SSL_pending(ssl); }

int cossl_has_input(const SSL *ssl) { return SSL_has_pending(ssl); }

// MARK: The ClientHello and the certificate

int cossl_hello_extension(SSL *ssl, unsigned type, const uint8_t **bytes, size_t *count) {
  return SSL_client_hello_get0_ext(ssl, type, bytes, count);
}

size_t cossl_hello_ciphers(SSL *ssl, const uint8_t **bytes) { return SSL_client_hello_get0_ciphers(ssl, bytes); }

int cossl_use_certificate(SSL *ssl, cossl_certificate *certificate, const uint8_t *ocsp, size_t ocsp_count) {
  int status = SSL_use_cert_and_key(ssl, certificate->leaf, certificate->key, certificate->chain, 1);
  if (status == 1 && ocsp != NULL && SSL_get_tlsext_status_type(ssl) == TLSEXT_STATUSTYPE_ocsp) {
    uint8_t *copy = OPENSSL_memdup(ocsp, ocsp_count);
    // OpenSSL frees the copy.
    if (copy != NULL) SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)ocsp_count);
  }
  ERR_clear_error();
  return status == 1;
}

// MARK: After the handshake

void cossl_handshake_ended(SSL *ssl) {
  SSL_set_tlsext_status_ocsp_resp(ssl, NULL, 0);
  SSL_certs_clear(ssl);
}

int cossl_cipher(const SSL *ssl) {
  const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
  return cipher == NULL ? 0 : SSL_CIPHER_get_protocol_id(cipher);
}

int cossl_is_resumed(const SSL *ssl) { return SSL_session_reused(ssl); }

size_t cossl_alpn(const SSL *ssl, const uint8_t **bytes) {
  unsigned count = 0;
  SSL_get0_alpn_selected(ssl, bytes, &count);
  return count;
}

X509 *cossl_peer_certificate(const SSL *ssl) { return SSL_get1_peer_certificate(ssl); }

long cossl_verify_result(const SSL *ssl) { return SSL_get_verify_result(ssl); }

void cossl_set_session(SSL *ssl, SSL_SESSION *session) {
  SSL_set_session(ssl, session);
  ERR_clear_error();
}

SSL_SESSION *cossl_renewed_session(SSL *ssl) {
  if (SSL_version(ssl) != TLS1_2_VERSION || !SSL_session_reused(ssl)) return NULL;
  return SSL_get1_session(ssl);
}

void cossl_session_free(SSL_SESSION *session) { SSL_SESSION_free(session); }
