// Sealing of what is kept on disk: AES-256-GCM.

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

#include "internal.h"

// Fetched once: a lookup by name costs as much as to seal a key.
static EVP_CIPHER *sealing_cipher;
static CRYPTO_ONCE sealing_once = CRYPTO_ONCE_STATIC_INIT;

static void fetch_cipher(void) { sealing_cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL); }

// With key, nonce and what is authenticated beside the content. NULL on failure.
static EVP_CIPHER_CTX *begin(
    const uint8_t *key, const uint8_t *nonce, const uint8_t *beside, size_t beside_count, int seals) {
  CRYPTO_THREAD_run_once(&sealing_once, fetch_cipher);
  EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
  int ignored;
  if (cipher != NULL && EVP_CipherInit_ex2(cipher, sealing_cipher, key, nonce, seals, NULL) == 1 &&
      EVP_CipherUpdate(cipher, NULL, &ignored, beside, (int)beside_count) == 1) {
    return cipher;
  }
  EVP_CIPHER_CTX_free(cipher);
  return NULL;
}

int cossl_box_seal(
    const uint8_t *key32, const uint8_t *nonce12, const uint8_t *beside, size_t beside_count, const uint8_t *in,
    size_t count, uint8_t *out) {
  EVP_CIPHER_CTX *cipher = begin(key32, nonce12, beside, beside_count, 1);
  int written = 0, rest = 0;
  int is_done = cipher != NULL && EVP_CipherUpdate(cipher, out, &written, in, (int)count) == 1 &&
                EVP_CipherFinal_ex(cipher, out + written, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, COSSL_TAG_BYTES, out + count) == 1;
  EVP_CIPHER_CTX_free(cipher);
  ERR_clear_error();
  return is_done;
}

int cossl_box_open(
    const uint8_t *key32, const uint8_t *nonce12, const uint8_t *beside, size_t beside_count, const uint8_t *in,
    size_t count, uint8_t *out) {
  if (count < COSSL_TAG_BYTES) return 0;
  int content = (int)count - COSSL_TAG_BYTES;
  EVP_CIPHER_CTX *cipher = begin(key32, nonce12, beside, beside_count, 0);
  int written = 0, rest = 0;
  int is_done = cipher != NULL && EVP_CipherUpdate(cipher, out, &written, in, content) == 1 &&
                EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, COSSL_TAG_BYTES, (void *)(in + content)) == 1 &&
                EVP_CipherFinal_ex(cipher, out + written, &rest) == 1;
  // What is not authentic is nobody's to see.
  if (!is_done) OPENSSL_cleanse(out, (size_t)content);
  EVP_CIPHER_CTX_free(cipher);
  ERR_clear_error();
  return is_done;
}

void cossl_random(uint8_t *bytes, size_t count) {
  // Without randomness nothing is safe.
  if (RAND_bytes(bytes, (int)count) != 1) abort();
}
