// Measures what a check of a signature costs that libcrypto makes and nobody else has a part in.
//
//   bare_checks HS256|RS256|ES256|EdDSA KEY FILE SECONDS
//
// KEY is a public key in PEM, or a file with a secret. FILE has signed texts with their signatures: the length of
// each in four bytes, the highest first, and its bytes; signatures of ECDSA in ASN.1. The key is parsed, algorithms are
// fetched and contexts are made once, which is as cheap as a careful user of the library has it; what is verified is
// new each time. Writes RESULT and a line of JSON: "microseconds" of user time for a check.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <sys/resource.h>

#include "common.h"

enum { BYTES_MAX = 256 << 20, PER_LOOK = 64 };

typedef struct {
  const uint8_t *text, *signature;
  size_t text_count, signature_count;
} Signed;

static uint8_t *content_of(const char *name, size_t *count) {
  FILE *file = fopen(name, "rb");
  if (file == NULL) fail("%s: %s", name, strerror(errno));
  uint8_t *bytes = malloc(BYTES_MAX);
  if (bytes == NULL) fail("no memory");
  *count = fread(bytes, 1, BYTES_MAX, file);
  fclose(file);
  return bytes;
}

static const uint8_t *take(const uint8_t **position, const uint8_t *end, size_t *count) {
  if (end - *position < 4) fail("the file ends too early");
  const uint8_t *at = *position;
  *count = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
  if ((size_t)(end - at) - 4 < *count) fail("the file ends too early");
  *position = at + 4 + *count;
  return at + 4;
}

static EVP_PKEY *key;
static EVP_PKEY_CTX *verifier;
static EVP_MD *sha256;
static EVP_MD_CTX *message;
static EVP_MAC_CTX *mac;
static uint8_t *secret;
static size_t secret_count;

static bool check_code(const Signed *one) {
  uint8_t code[64];
  size_t count = 0;
  return EVP_MAC_init(mac, secret, secret_count, NULL) == 1 && EVP_MAC_update(mac, one->text, one->text_count) == 1 &&
         EVP_MAC_final(mac, code, &count, sizeof code) == 1 && count == one->signature_count &&
         CRYPTO_memcmp(code, one->signature, count) == 0;
}

static bool check_signature(const Signed *one) {
  uint8_t digest[32];
  return EVP_DigestInit_ex2(message, sha256, NULL) == 1 && EVP_DigestUpdate(message, one->text, one->text_count) == 1 &&
         EVP_DigestFinal_ex(message, digest, NULL) == 1 &&
         EVP_PKEY_verify(verifier, one->signature, one->signature_count, digest, sizeof digest) == 1;
}

static bool check_ed25519(const Signed *one) {
  return EVP_DigestVerifyInit_ex(message, NULL, NULL, NULL, NULL, NULL, NULL) == 1 &&
         EVP_DigestVerify(message, one->signature, one->signature_count, one->text, one->text_count) == 1;
}

static void prepare(const char *algorithm, const char *name) {
  if (strcmp(algorithm, "HS256") == 0) {
    secret = content_of(name, &secret_count);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0), OSSL_PARAM_construct_end()};
    mac = EVP_MAC_CTX_new(EVP_MAC_fetch(NULL, "HMAC", NULL));
    if (mac == NULL || EVP_MAC_CTX_set_params(mac, parameters) != 1) fail("no HMAC");
    return;
  }
  FILE *file = fopen(name, "r");
  if (file == NULL) fail("%s: %s", name, strerror(errno));
  key = PEM_read_PUBKEY(file, NULL, NULL, NULL);
  fclose(file);
  if (key == NULL) fail("%s is no public key", name);
  message = EVP_MD_CTX_new();
  if (strcmp(algorithm, "EdDSA") == 0) {
    if (EVP_DigestVerifyInit_ex(message, NULL, NULL, NULL, NULL, key, NULL) != 1) fail("the key verifies nothing");
    return;
  }
  verifier = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
  if (EVP_PKEY_verify_init(verifier) != 1 || EVP_PKEY_CTX_set_signature_md(verifier, sha256) != 1) {
    fail("the key verifies nothing");
  }
}

static double user_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  // What the kernel's tick took for its own is little here, and both together are exact.
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

int main(int count, char **arguments) {
  if (count != 5) fail("usage: bare_checks HS256|RS256|ES256|EdDSA KEY FILE SECONDS");
  const char *algorithm = arguments[1];
  bool (*check)(const Signed *) = strcmp(algorithm, "HS256") == 0   ? check_code
                                  : strcmp(algorithm, "EdDSA") == 0 ? check_ed25519
                                                                    : check_signature;
  prepare(algorithm, arguments[2]);
  size_t byte_count = 0, signed_count = 0;
  const uint8_t *position = content_of(arguments[3], &byte_count), *end = position + byte_count;
  Signed *all = calloc(byte_count / 8 + 1, sizeof *all);
  if (all == NULL) fail("no memory");
  while (position < end) {
    Signed *one = &all[signed_count++];
    one->text = take(&position, end, &one->text_count);
    one->signature = take(&position, end, &one->signature_count);
  }
  if (signed_count == 0) fail("there is nothing to check");
  double seconds = atof(arguments[4]), start = user_seconds(), used = 0;
  uint64_t checks = 0;
  while (used < seconds) {
    for (int index = 0; index < PER_LOOK; index++) {
      if (!check(&all[checks++ % signed_count])) fail("a signature is not valid");
    }
    used = user_seconds() - start;
  }
  printf("RESULT {\"microseconds\": %.4f, \"checks\": %llu}\n", used * 1e6 / (double)checks, (unsigned long long)checks);
  return 0;
}
