// Protection of TLS 1.3 records (RFC 8446 §5.2, §7.1 to §7.3).

#include <string.h>

#include "internal.h"

cossl_keys *cossl_keys_new(void) {
  cossl_keys *keys = OPENSSL_zalloc(sizeof *keys);
  if (keys == NULL) abort();
  return keys;
}

void cossl_keys_free(cossl_keys *keys) { OPENSSL_clear_free(keys, sizeof *keys); }

// MARK: Derivation

static size_t key_bytes(int suite) { return suite == COSSL_AES_128_GCM ? 16 : 32; }

static size_t hash_bytes(int suite) { return suite == COSSL_AES_256_GCM ? 48 : 32; }

static void expand(int suite, const uint8_t *secret, const char *label, uint8_t *out, size_t count) {
  cossl_hkdf_expand_label(hash_bytes(suite), secret, label, strlen(label), NULL, 0, out, count);
}

static void derive(cossl_direction *direction, int suite) {
  expand(suite, direction->secret, "key", direction->key, key_bytes(suite));
  expand(suite, direction->secret, "iv", direction->iv, sizeof direction->iv);
  direction->sequence = 0;
}

int cossl_keys_derive(cossl_keys *keys, int suite) {
  if (suite < COSSL_AES_128_GCM || suite > COSSL_CHACHA20_POLY1305) return 0;
  if (keys->client_secret_count != hash_bytes(suite) || keys->server_secret_count != hash_bytes(suite)) return 0;
  derive(&keys->client, suite);
  derive(&keys->server, suite);
  return 1;
}

int cossl_keys_update(cossl_direction *direction, int suite) {
  uint8_t next[COSSL_SECRET_BYTES_MAX];
  expand(suite, direction->secret, "traffic upd", next, hash_bytes(suite));
  memcpy(direction->secret, next, hash_bytes(suite));
  OPENSSL_cleanse(next, sizeof next);
  derive(direction, suite);
  return 1;
}

// MARK: Ciphers

// Fetched once: a lookup by name costs as much as a small record.
static EVP_CIPHER *aes_128, *aes_256, *chacha;
static CRYPTO_ONCE ciphers_once = CRYPTO_ONCE_STATIC_INIT;

static void fetch_ciphers(void) {
  aes_128 = EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL);
  aes_256 = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
  chacha = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
}

EVP_CIPHER_CTX *cossl_cipher_new(int suite) {
  CRYPTO_THREAD_run_once(&ciphers_once, fetch_ciphers);
  const EVP_CIPHER *type = suite == COSSL_AES_128_GCM ? aes_128 : suite == COSSL_AES_256_GCM ? aes_256 : chacha;
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  if (cipher == NULL) abort();
  // Both ciphers' nonces have the 12 bytes that are the default.
  if (type == NULL || EVP_CipherInit_ex(cipher, type, NULL, NULL, NULL, 1) != 1) {
    EVP_CIPHER_CTX_free(cipher);
    ERR_clear_error();
    return NULL;
  }
  return cipher;
}

void cossl_cipher_free(EVP_CIPHER_CTX *cipher) { EVP_CIPHER_CTX_free(cipher); }

int cossl_cipher_set_key(EVP_CIPHER_CTX *cipher, const cossl_direction *direction, int seals) {
  return EVP_CipherInit_ex(cipher, NULL, NULL, direction->key, NULL, seals) == 1;
}

// RFC 8446 §5.3: the record's number, padded, XOR the IV.
static void take_nonce(cossl_direction *direction, uint8_t *nonce) {
  uint64_t sequence = direction->sequence++;
  memcpy(nonce, direction->iv, 12);
  for (int index = 11; index >= 4; index--) {
    nonce[index] ^= (uint8_t)sequence;
    sequence >>= 8;
  }
}

ssize_t cossl_open(EVP_CIPHER_CTX *cipher, cossl_direction *direction, const uint8_t *header, const uint8_t *in,
                   size_t count, uint8_t *out) {
  if (count < COSSL_TAG_BYTES) return -1;
  uint8_t nonce[12];
  int written = 0, rest = 0;
  take_nonce(direction, nonce);
  count -= COSSL_TAG_BYTES;
  int done = EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, nonce) == 1 &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, COSSL_TAG_BYTES, (void *)(in + count)) == 1 &&
             EVP_DecryptUpdate(cipher, NULL, &rest, header, 5) == 1 &&
             EVP_DecryptUpdate(cipher, out, &written, in, (int)count) == 1 &&
             EVP_DecryptFinal_ex(cipher, out + written, &rest) == 1;
  if (done) return written + rest;
  ERR_clear_error();
  // What is not authentic is not to be seen.
  OPENSSL_cleanse(out, count);
  return -1;
}

int cossl_seal(EVP_CIPHER_CTX *cipher, cossl_direction *direction, uint8_t type, const uint8_t *first,
               size_t first_count, const uint8_t *second, size_t second_count, cossl_wire *wire) {
  size_t inner = first_count + second_count + 1;
  size_t length = inner + COSSL_TAG_BYTES;
  cossl_wire_reserve(wire, 5 + length);
  uint8_t *header = wire->out + wire->out_count;
  uint8_t *out = header + 5;
  uint8_t nonce[12];
  int written = 0;
  header[0] = 23;
  header[1] = 3;
  header[2] = 3;
  header[3] = (uint8_t)(length >> 8);
  header[4] = (uint8_t)length;
  take_nonce(direction, nonce);
  int done = EVP_EncryptInit_ex(cipher, NULL, NULL, NULL, nonce) == 1 &&
             EVP_EncryptUpdate(cipher, NULL, &written, header, 5) == 1 &&
             (first_count == 0 || EVP_EncryptUpdate(cipher, out, &written, first, (int)first_count) == 1) &&
             (second_count == 0 ||
              EVP_EncryptUpdate(cipher, out + first_count, &written, second, (int)second_count) == 1) &&
             EVP_EncryptUpdate(cipher, out + inner - 1, &written, &type, 1) == 1 &&
             EVP_EncryptFinal_ex(cipher, out + inner, &written) == 1 &&
             EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, COSSL_TAG_BYTES, out + inner) == 1;
  if (!done) {
    ERR_clear_error();
    return 0;
  }
  wire->out_count += 5 + length;
  return 1;
}
