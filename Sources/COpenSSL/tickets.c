// Session tickets' keys, and sealing and opening tickets with them (RFC 5077 §4).

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#include "internal.h"

enum { NAME_BYTES = 16, KEY_BYTES = 32, FILE_BYTES = NAME_BYTES + 2 * KEY_BYTES };

typedef struct {
  uint8_t name[NAME_BYTES];
  uint8_t mac_key[KEY_BYTES];
  uint8_t cipher_key[KEY_BYTES];
  /// Bytes of both keys that are used: 16 or 32.
  size_t key_bytes;
} ticket_key;

struct cossl_ticket_keys {
  size_t count;
  ticket_key keys[];
};

static cossl_ticket_keys *keys_new(size_t count) {
  cossl_ticket_keys *keys = OPENSSL_zalloc(sizeof *keys + count * sizeof keys->keys[0]);
  if (keys == NULL) abort();
  keys->count = count;
  return keys;
}

cossl_ticket_keys *cossl_ticket_keys_new(const uint8_t *bytes, size_t count, uint32_t short_keys) {
  cossl_ticket_keys *keys = keys_new(count);
  for (size_t index = 0; index < count; index++) {
    ticket_key *key = &keys->keys[index];
    const uint8_t *from = bytes + index * FILE_BYTES;
    memcpy(key->name, from, NAME_BYTES);
    memcpy(key->mac_key, from + NAME_BYTES, KEY_BYTES);
    memcpy(key->cipher_key, from + NAME_BYTES + KEY_BYTES, KEY_BYTES);
    key->key_bytes = (short_keys >> index & 1) != 0 ? KEY_BYTES / 2 : KEY_BYTES;
  }
  return keys;
}

cossl_ticket_keys *cossl_ticket_keys_rotated(const cossl_ticket_keys *old, size_t kept) {
  if (old == NULL) kept = 0;
  if (old != NULL && kept > old->count) kept = old->count;
  cossl_ticket_keys *keys = keys_new(kept + 1);
  ticket_key *key = &keys->keys[0];
  key->key_bytes = KEY_BYTES;
  if (RAND_bytes(key->name, NAME_BYTES) != 1 || RAND_priv_bytes(key->mac_key, KEY_BYTES) != 1 ||
      RAND_priv_bytes(key->cipher_key, KEY_BYTES) != 1) {
    cossl_ticket_keys_free(keys);
    return NULL;
  }
  if (kept > 0) memcpy(&keys->keys[1], &old->keys[0], kept * sizeof keys->keys[0]);
  return keys;
}

size_t cossl_ticket_keys_count(const cossl_ticket_keys *keys) { return keys->count; }

void cossl_ticket_keys_free(cossl_ticket_keys *keys) {
  OPENSSL_clear_free(keys, sizeof *keys + keys->count * sizeof keys->keys[0]);
}

// Fetched once: a lookup by name for every ticket costs as much as the ticket's encryption.
static EVP_CIPHER *aes_128, *aes_256;
static CRYPTO_ONCE ciphers_once = CRYPTO_ONCE_STATIC_INIT;

static void fetch_ciphers(void) {
  aes_128 = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
  aes_256 = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
}

static int set_keys(const ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                    int seals) {
  CRYPTO_THREAD_run_once(&ciphers_once, fetch_ciphers);
  const EVP_CIPHER *type = key->key_bytes == KEY_BYTES ? aes_256 : aes_128;
  if (type == NULL || EVP_CipherInit_ex(cipher, type, NULL, key->cipher_key, iv, seals) != 1) return -1;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac_key, key->key_bytes),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, "SHA256", 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, parameters) == 1 ? 1 : -1;
}

int cossl_ticket_callback(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                          int seals) {
  const cossl_ticket_keys *keys = cossl_context_of(ssl)->ticket_keys;
  if (keys == NULL || keys->count == 0) return 0;
  if (seals) {
    memcpy(name, keys->keys[0].name, NAME_BYTES);
    // Both ciphers have blocks of 16 bytes.
    if (RAND_bytes(iv, 16) != 1) return -1;
    return set_keys(&keys->keys[0], iv, cipher, mac, 1);
  }
  for (size_t index = 0; index < keys->count; index++) {
    if (memcmp(name, keys->keys[index].name, NAME_BYTES) != 0) continue;
    int status = set_keys(&keys->keys[index], iv, cipher, mac, 0);
    // 2: a new ticket is given. In TLS 1.3 a ticket is good for one connection (RFC 8446 §C.4).
    return status == 1 && (index > 0 || SSL_version(ssl) >= TLS1_3_VERSION) ? 2 : status;
  }
  return 0;
}

// MARK: How long a session lives

// A ticket of a resumed session is given its time anew, and so would live for ever: the ticket says when the
// client was last verified in full. Seconds since 1970-01-01 UTC, for this machine's byte order.
static int begin_of(SSL_SESSION *session, int64_t *begin) {
  void *known;
  size_t count;
  if (SSL_SESSION_get0_ticket_appdata(session, &known, &count) != 1 || count != sizeof *begin) return 0;
  memcpy(begin, known, sizeof *begin);
  return 1;
}

int cossl_ticket_made(SSL *ssl, void *argument) {
  (void)argument;
  SSL_SESSION *session = SSL_get_session(ssl);
  int64_t begin;
  if (SSL_session_reused(ssl) && begin_of(session, &begin)) return 1;
  begin = (int64_t)time(NULL);
  return SSL_SESSION_set1_ticket_appdata(session, &begin, sizeof begin);
}

// What is ignored leads to a full handshake, which verifies the client's certificate.
SSL_TICKET_RETURN cossl_ticket_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name, size_t name_count,
                                      SSL_TICKET_STATUS status, void *argument) {
  (void)name, (void)name_count, (void)argument;
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const X509 *peer = SSL_SESSION_get0_peer(session);
  // 0 is an error.
  if (peer != NULL && X509_cmp_current_time(X509_get0_notAfter(peer)) <= 0) return SSL_TICKET_RETURN_IGNORE_RENEW;
  int64_t begin;
  if (!begin_of(session, &begin)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  int64_t age = (int64_t)time(NULL) - begin;
  if (age > SSL_CTX_get_timeout(SSL_get_SSL_CTX(ssl))) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS_RENEW ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}
