// Contexts: profiles, callbacks, verification.

#include <string.h>

#include "internal.h"

// Mozilla's Server Side TLS guidelines, version 6.0. OpenSSL knows the hybrid group from 3.5 on.
static const char *const groups_with_hybrid = "X25519MLKEM768:X25519:prime256v1:secp384r1";
static const char *const groups = "X25519:prime256v1:secp384r1";
static const char *const suites = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char *const ciphers_of_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

cossl_context *cossl_context_of(const SSL *ssl) { return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)); }

// MARK: Callbacks

static int hello_callback(SSL *ssl, int *alert, void *argument) {
  (void)argument;
  switch (cossl_context_of(ssl)->wire->hello) {
    case COSSL_ACCEPTED: return SSL_CLIENT_HELLO_SUCCESS;
    case COSSL_REFUSED:
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    default: return SSL_CLIENT_HELLO_RETRY;
  }
}

// The name was looked at in hello_callback; this says so to the client (RFC 6066 §3).
static int name_callback(SSL *ssl, int *alert, void *argument) {
  (void)ssl, (void)alert, (void)argument;
  return SSL_TLSEXT_ERR_OK;
}

static int certificate_callback(SSL *ssl, void *argument) {
  (void)argument;
  switch (cossl_context_of(ssl)->wire->certificate) {
    case COSSL_ACCEPTED: return 1;
    case COSSL_REFUSED: return 0;
    default: return -1;
  }
}

static int alpn_callback(SSL *ssl, const unsigned char **out, unsigned char *out_count, const unsigned char *in,
                         unsigned in_count, void *argument) {
  (void)argument;
  const cossl_context *context = cossl_context_of(ssl);
  unsigned char *chosen;
  int status = SSL_select_next_proto(&chosen, out_count, context->alpn, (unsigned)context->alpn_count, in, in_count);
  // RFC 7301 §3.2: no_application_protocol.
  if (status != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static int status_callback(SSL *ssl, void *argument) {
  (void)argument;
  const unsigned char *response;
  return SSL_get_tlsext_status_ocsp_resp(ssl, &response) > 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

static void info_callback(const SSL *ssl, int where, int value) {
  if ((where & SSL_CB_ALERT) == 0) return;
  cossl_wire *wire = cossl_context_of(ssl)->wire;
  wire->alert = (uint8_t)(value & 0xff);
  wire->alert_was_received = (where & SSL_CB_READ) != 0;
}

static int session_callback(SSL *ssl, SSL_SESSION *session) {
  cossl_wire *wire = cossl_context_of(ssl)->wire;
  SSL_SESSION_free(wire->new_session);
  wire->new_session = session;
  return 1;
}

// MARK: Making

static cossl_context *context_new(const SSL_METHOD *method, cossl_wire *wire, int profile, const uint8_t *alpn,
                                  size_t alpn_count) {
  SSL_CTX *ssl = SSL_CTX_new_ex(NULL, cossl_properties(), method);
  if (ssl == NULL) return NULL;
  int lowest = profile == COSSL_PROFILE_MODERN ? TLS1_3_VERSION : TLS1_2_VERSION;
  int done = SSL_CTX_set_min_proto_version(ssl, lowest) == 1 && SSL_CTX_set_max_proto_version(ssl, 0) == 1 &&
             SSL_CTX_set_ciphersuites(ssl, suites) == 1 && SSL_CTX_set_cipher_list(ssl, ciphers_of_tls12) == 1 &&
             (SSL_CTX_set1_groups_list(ssl, groups_with_hybrid) == 1 || SSL_CTX_set1_groups_list(ssl, groups) == 1);
  ERR_clear_error();
  if (!done || alpn_count > COSSL_ALPN_BYTES_MAX) {
    SSL_CTX_free(ssl);
    return NULL;
  }
  cossl_context *context = OPENSSL_zalloc(sizeof *context);
  if (context == NULL) abort();
  context->ssl = ssl;
  context->wire = wire;
  context->bio = cossl_wire_bio(wire);
  context->alpn_count = alpn_count;
  if (alpn_count > 0) memcpy(context->alpn, alpn, alpn_count);
  SSL_CTX_set_app_data(ssl, context);
  // The client's order decides, as the guidelines say; what the system's openssl.cnf asks for does not.
  SSL_CTX_set_security_level(ssl, 2);
  SSL_CTX_clear_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                 SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION | SSL_OP_LEGACY_SERVER_CONNECT |
                                 SSL_OP_NO_ENCRYPT_THEN_MAC);
  SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // No chain is made of trusted certificates: what is sent is what was configured.
  SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_info_callback(ssl, info_callback);
  return context;
}

cossl_context *cossl_server_context(cossl_wire *wire, int profile, const uint8_t *alpn, size_t alpn_count,
                                    const uint8_t *session_context, long session_seconds) {
  cossl_context *context = context_new(TLS_server_method(), wire, profile, alpn, alpn_count);
  if (context == NULL) return NULL;
  SSL_CTX *ssl = context->ssl;
  // Sessions live in tickets only.
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(ssl, session_context, 32);
  SSL_CTX_set_timeout(ssl, session_seconds);
  SSL_CTX_set_max_early_data(ssl, 0);
  SSL_CTX_set_client_hello_cb(ssl, hello_callback, NULL);
  SSL_CTX_set_tlsext_servername_callback(ssl, name_callback);
  SSL_CTX_set_cert_cb(ssl, certificate_callback, NULL);
  SSL_CTX_set_tlsext_status_cb(ssl, status_callback);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, cossl_ticket_callback);
  SSL_CTX_set_session_ticket_cb(ssl, cossl_ticket_made, cossl_ticket_opened, NULL);
  if (alpn_count > 0) SSL_CTX_set_alpn_select_cb(ssl, alpn_callback, NULL);
  cossl_context_set_ticket_keys(context, NULL);
  return context;
}

cossl_context *cossl_client_context(cossl_wire *wire, int profile, const uint8_t *alpn, size_t alpn_count) {
  cossl_context *context = context_new(TLS_client_method(), wire, profile, alpn, alpn_count);
  if (context == NULL) return NULL;
  SSL_CTX_set_session_cache_mode(context->ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context->ssl, session_callback);
  // 0 is success, unlike elsewhere.
  if (alpn_count > 0 && SSL_CTX_set_alpn_protos(context->ssl, alpn, (unsigned)alpn_count) != 0) {
    cossl_context_free(context);
    return NULL;
  }
  return context;
}

void cossl_context_free(cossl_context *context) {
  SSL_CTX_free(context->ssl);
  BIO_free(context->bio);
  OPENSSL_free(context);
}

void cossl_context_limit_to_tls12(cossl_context *context) {
  SSL_CTX_set_max_proto_version(context->ssl, TLS1_2_VERSION);
}

void cossl_context_set_ticket_keys(cossl_context *context, const cossl_ticket_keys *keys) {
  context->ticket_keys = keys;
  // Without SSL_OP_NO_TICKET, TLS 1.3 would give tickets that refer to a cache that is not there.
  if (keys == NULL) {
    SSL_CTX_set_options(context->ssl, SSL_OP_NO_TICKET);
  } else {
    SSL_CTX_clear_options(context->ssl, SSL_OP_NO_TICKET);
  }
  // One ticket is what a client needs for its next connection; each costs a record and its sealing.
  SSL_CTX_set_num_tickets(context->ssl, keys == NULL ? 0 : 1);
}

static void verify(cossl_context *context, cossl_trust *trust, int mode, int depth) {
  SSL_CTX_set1_cert_store(context->ssl, trust->store);
  SSL_CTX_set_verify(context->ssl, mode, NULL);
  SSL_CTX_set_verify_depth(context->ssl, depth);
}

void cossl_context_verify_clients(cossl_context *context, cossl_trust *trust, int is_required, int depth) {
  verify(context, trust, SSL_VERIFY_PEER | (is_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), depth);
  if (trust->names == NULL) return;
  STACK_OF(X509_NAME) *names = sk_X509_NAME_deep_copy(trust->names, X509_NAME_dup, X509_NAME_free);
  SSL_CTX_set_client_CA_list(context->ssl, names);
}

void cossl_context_verify_servers(cossl_context *context, cossl_trust *trust, int depth) {
  verify(context, trust, SSL_VERIFY_PEER, depth);
}

int cossl_context_use_certificate(cossl_context *context, cossl_certificate *certificate) {
  int status = SSL_CTX_use_cert_and_key(context->ssl, certificate->leaf, certificate->key, certificate->chain, 1);
  ERR_clear_error();
  return status == 1;
}
