#pragma once
// Shared by the files of this target.

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "COpenSSL.h"

struct cossl_certificate {
  X509 *leaf;
  EVP_PKEY *key;
  STACK_OF(X509) *chain;  // without the leaf
  uint8_t *key_der;       // PKCS #8, where it was read from that; else NULL
  size_t key_der_count;
};

struct cossl_trust {
  X509_STORE *store;
  STACK_OF(X509_NAME) *names;  // of the bundle's certificates; NULL for the system's
};

enum { COSSL_ALPN_BYTES_MAX = 64 };

struct cossl_context {
  SSL_CTX *ssl;
  cossl_wire *wire;
  BIO *bio;
  const cossl_ticket_keys *ticket_keys;
  uint8_t alpn[COSSL_ALPN_BYTES_MAX];
  size_t alpn_count;
};

/// A key for ECDSA from PKCS #8; NULL for anything else.
EVP_PKEY *cossl_ec_key(const uint8_t *bytes, size_t count);
/// The same from PEM. `der` is PKCS #8 and the caller's.
EVP_PKEY *cossl_ec_key_pem(const uint8_t *bytes, size_t count, pem_password_cb *password, void *argument,
                           uint8_t **der, size_t *der_count);

/// A point of P-521, uncompressed, is the longest.
enum { COSSL_POINT_BYTES_MAX = 133 };
/// The public key of a key for ECDSA, uncompressed (SEC 1, 2.3.3), and its curve; 0 for any other key.
size_t cossl_ec_point(EVP_PKEY *key, uint8_t *point, int *curve);

/// A BIO on the wire; connections share it.
BIO *cossl_wire_bio(cossl_wire *wire);

cossl_context *cossl_context_of(const SSL *ssl);

/// Properties that contexts fetch algorithms with: our own where there is one (hkdf.c).
const char *cossl_properties(void);
/// HKDF-Expand-Label (RFC 8446 §7.1); `hash_bytes` is 32 (SHA-256) or 48 (SHA-384), and of the secret.
int cossl_hkdf_expand_label(size_t hash_bytes, const uint8_t *secret, const char *label, size_t label_count,
                            const uint8_t *data, size_t data_count, uint8_t *out, size_t count);
/// Where this thread's handshake puts traffic secrets; NULL: nowhere.
extern __thread cossl_keys *cossl_thread_keys;

/// SSL_CTX_set_tlsext_ticket_key_evp_cb's callback.
int cossl_ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                          int seals);
/// SSL_CTX_set_session_ticket_cb's callbacks.
int cossl_ticket_made(SSL *ssl, void *argument);
SSL_TICKET_RETURN cossl_ticket_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_count,
                                      SSL_TICKET_STATUS status, void *argument);
