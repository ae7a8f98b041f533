// Message authentication codes and signatures of messages: what plugins verify of requests.

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <string.h>

#include "internal.h"

// MARK: Digests

static const char *const digest_names[] = {"SHA1", "SHA256", "SHA384", "SHA512"};
static EVP_MD *digests[4];
static EVP_MAC *hmac;
static CRYPTO_ONCE fetch_once = CRYPTO_ONCE_STATIC_INIT;

// Fetched once: a lookup by name costs as much as the code of a short message.
static void fetch(void) {
  for (int index = 0; index < 4; index++) digests[index] = EVP_MD_fetch(NULL, digest_names[index], NULL);
  hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

EVP_MD_CTX *cossl_digest_new(int digest) {
  CRYPTO_THREAD_run_once(&fetch_once, fetch);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  if (context != NULL && EVP_DigestInit_ex2(context, digests[digest], NULL) == 1) return context;
  EVP_MD_CTX_free(context);
  ERR_clear_error();
  return NULL;
}

void cossl_digest_add(EVP_MD_CTX *context, const uint8_t *bytes, size_t count) {
  EVP_DigestUpdate(context, bytes, count);
}

void cossl_digest_end(EVP_MD_CTX *context, uint8_t *out) { EVP_DigestFinal_ex(context, out, NULL); }

void cossl_digest_free(EVP_MD_CTX *context) { EVP_MD_CTX_free(context); }

// MARK: HMAC

EVP_MAC_CTX *cossl_hmac_new(int digest) {
  CRYPTO_THREAD_run_once(&fetch_once, fetch);
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest_names[digest], 0),
      OSSL_PARAM_construct_end()};
  EVP_MAC_CTX *context = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
  if (context != NULL && EVP_MAC_CTX_set_params(context, parameters) == 1) return context;
  EVP_MAC_CTX_free(context);
  ERR_clear_error();
  return NULL;
}

void cossl_hmac_free(EVP_MAC_CTX *context) { EVP_MAC_CTX_free(context); }

size_t cossl_hmac(
    EVP_MAC_CTX *context, const uint8_t *key, size_t key_count, const uint8_t *bytes, size_t count, uint8_t *out64) {
  size_t written = 0;
  if (EVP_MAC_init(context, key, key_count, NULL) == 1 && EVP_MAC_update(context, bytes, count) == 1 &&
      EVP_MAC_final(context, out64, &written, COSSL_DIGEST_BYTES_MAX) == 1) {
    return written;
  }
  ERR_clear_error();
  return 0;
}

// MARK: Public keys

enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

static int kind_of(EVP_PKEY *key) {
  char group[32];
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: {
      int bits = EVP_PKEY_get_bits(key);
      // Smaller ones are broken (RFC 7518 §3.3); the time of larger ones grows with their square.
      return bits < RSA_BITS_MIN || bits > RSA_BITS_MAX ? COSSL_PUBLIC_KEY_SIZE : COSSL_PUBLIC_KEY_RSA;
    }
    case EVP_PKEY_ED25519: return COSSL_PUBLIC_KEY_ED25519;
    case EVP_PKEY_EC:
      if (EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1) return COSSL_PUBLIC_KEY_OTHER;
      switch (OBJ_sn2nid(group)) {
        case NID_X9_62_prime256v1: return COSSL_PUBLIC_KEY_P256;
        case NID_secp384r1: return COSSL_PUBLIC_KEY_P384;
        case NID_secp521r1: return COSSL_PUBLIC_KEY_P521;
        default: return COSSL_PUBLIC_KEY_OTHER;
      }
    default: return COSSL_PUBLIC_KEY_OTHER;
  }
}

// Takes the key over: gives it back with its kind, or frees one that is none of ours.
static EVP_PKEY *accept(EVP_PKEY *key, int *kind) {
  *kind = key == NULL ? COSSL_PUBLIC_KEY_UNREADABLE : kind_of(key);
  ERR_clear_error();
  if (*kind >= 0) return key;
  EVP_PKEY_free(key);
  return NULL;
}

EVP_PKEY *cossl_public_key_pem(const uint8_t *bytes, size_t count, int *kind) {
  BIO *bio = BIO_new_mem_buf(bytes, (int)count);
  EVP_PKEY *key = NULL;
  X509 *certificate = NULL;
  char *name = NULL, *header = NULL;
  uint8_t *content = NULL;
  long content_count = 0;
  if (bio != NULL && PEM_read_bio(bio, &name, &header, &content, &content_count) == 1) {
    const uint8_t *position = content;
    if (strcmp(name, PEM_STRING_PUBLIC) == 0) {
      key = d2i_PUBKEY(NULL, &position, content_count);
    } else if (strcmp(name, PEM_STRING_RSA_PUBLIC) == 0) {
      key = d2i_PublicKey(EVP_PKEY_RSA, NULL, &position, content_count);
    } else if (strcmp(name, PEM_STRING_X509) == 0) {
      certificate = d2i_X509(NULL, &position, content_count);
      if (certificate != NULL) key = X509_get_pubkey(certificate);
    }
  }
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(content);
  X509_free(certificate);
  BIO_free(bio);
  return accept(key, kind);
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM *parameters) {
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
  EVP_PKEY *key = NULL;
  if (context == NULL || parameters == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    EVP_PKEY_free(key);
    key = NULL;
  }
  EVP_PKEY_CTX_free(context);
  return key;
}

EVP_PKEY *cossl_public_key_rsa(const uint8_t *n, size_t n_count, const uint8_t *e, size_t e_count, int *kind) {
  BIGNUM *modulus = BN_bin2bn(n, (int)n_count, NULL), *exponent = BN_bin2bn(e, (int)e_count, NULL);
  OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
  EVP_PKEY *key = NULL;
  if (builder != NULL && modulus != NULL && exponent != NULL &&
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
      OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    key = key_from("RSA", parameters);
    OSSL_PARAM_free(parameters);
  }
  OSSL_PARAM_BLD_free(builder);
  BN_free(modulus);
  BN_free(exponent);
  return accept(key, kind);
}

EVP_PKEY *cossl_public_key_ec(int curve, const uint8_t *point, size_t count, int *kind) {
  static const char *const curves[] = {"P-256", "P-384", "P-521"};
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)curves[curve - COSSL_PUBLIC_KEY_P256], 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, count), OSSL_PARAM_construct_end()};
  EVP_PKEY *key = key_from("EC", parameters);
  EVP_PKEY_CTX *check = key == NULL ? NULL : EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  // A point beside the curve, or at infinity, is no key.
  if (key != NULL && (check == NULL || EVP_PKEY_public_check(check) != 1)) {
    EVP_PKEY_free(key);
    key = NULL;
  }
  EVP_PKEY_CTX_free(check);
  return accept(key, kind);
}

EVP_PKEY *cossl_public_key_ed25519(const uint8_t *bytes32, int *kind) {
  return accept(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes32, 32), kind);
}

void cossl_public_key_free(EVP_PKEY *key) { EVP_PKEY_free(key); }

// MARK: Signatures

struct cossl_verifier {
  // Nothing is fetched or made anew for a signature: with RSA, that took as long as a tenth of its verification.
  EVP_MD_CTX *message;
  // NULL with Ed25519, which makes the digest itself.
  EVP_PKEY_CTX *context;
  EVP_PKEY *key;
  int digest, is_ecdsa;
};

static EVP_PKEY_CTX *prepared(EVP_PKEY *key, int digest, int is_pss) {
  EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
  int is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
  int is_ready = context != NULL && EVP_PKEY_verify_init(context) == 1;
  if (is_ready && is_rsa) {
    is_ready = EVP_PKEY_CTX_set_rsa_padding(context, is_pss ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING) == 1;
  }
  if (is_ready) is_ready = EVP_PKEY_CTX_set_signature_md(context, digests[digest]) == 1;
  // RFC 7518 §3.5: the salt is as long as the digest, which stands in MGF1 as well.
  if (is_ready && is_pss) is_ready = EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
  if (is_ready) return context;
  EVP_PKEY_CTX_free(context);
  return NULL;
}

cossl_verifier *cossl_verifier_new(EVP_PKEY *key, int digest, int is_pss) {
  CRYPTO_THREAD_run_once(&fetch_once, fetch);
  cossl_verifier *verifier = OPENSSL_zalloc(sizeof *verifier);
  if (verifier == NULL) return NULL;
  int type = EVP_PKEY_get_base_id(key);
  verifier->digest = digest;
  verifier->is_ecdsa = type == EVP_PKEY_EC;
  verifier->key = key;
  verifier->message = EVP_MD_CTX_new();
  int is_ready = verifier->message != NULL;
  if (is_ready && type == EVP_PKEY_ED25519) {
    is_ready = EVP_DigestVerifyInit_ex(verifier->message, NULL, NULL, NULL, NULL, key, NULL) == 1;
  } else if (is_ready) {
    verifier->context = prepared(key, digest, is_pss);
    is_ready = verifier->context != NULL;
  }
  ERR_clear_error();
  if (is_ready) return verifier;
  cossl_verifier_free(verifier);
  return NULL;
}

void cossl_verifier_free(cossl_verifier *verifier) {
  if (verifier == NULL) return;
  EVP_PKEY_CTX_free(verifier->context);
  EVP_MD_CTX_free(verifier->message);
  OPENSSL_free(verifier);
}

// A positive number in ASN.1 (X.690 §8.3): without zeros in front, but one where its highest bit would be a sign.
static size_t encode_integer(const uint8_t *number, size_t count, uint8_t *out) {
  while (count > 1 && *number == 0) number++, count--;
  size_t sign = *number >> 7;
  out[0] = 0x02;
  out[1] = (uint8_t)(count + sign);
  out[2] = 0;
  memcpy(out + 2 + sign, number, count);
  return 2 + sign + count;
}

enum { COORDINATE_BYTES_MAX = 66, ECDSA_BYTES_MAX = 3 + 2 * (3 + COORDINATE_BYTES_MAX) };

// RFC 7518 §3.4 writes r and s as they are, OpenSSL reads them as ASN.1. 0 on failure.
static size_t encode_ecdsa(const uint8_t *signature, size_t count, uint8_t *out) {
  size_t half = count / 2;
  if (half == 0 || half > COORDINATE_BYTES_MAX || count != half * 2) return 0;
  uint8_t numbers[2 * (3 + COORDINATE_BYTES_MAX)];
  size_t number_count = encode_integer(signature, half, numbers);
  number_count += encode_integer(signature + half, half, numbers + number_count);
  size_t head = 0;
  out[head++] = 0x30;
  if (number_count > 127) out[head++] = 0x81;
  out[head++] = (uint8_t)number_count;
  memcpy(out + head, numbers, number_count);
  return head + number_count;
}

static int verify_digest(
    cossl_verifier *verifier, const uint8_t *bytes, size_t count, const uint8_t *signature, size_t signature_count) {
  uint8_t digest[COSSL_DIGEST_BYTES_MAX], pair[ECDSA_BYTES_MAX];
  unsigned digest_count = 0;
  if (verifier->is_ecdsa) {
    signature_count = encode_ecdsa(signature, signature_count, pair);
    if (signature_count == 0) return 0;
    signature = pair;
  }
  return EVP_DigestInit_ex2(verifier->message, digests[verifier->digest], NULL) == 1 &&
         EVP_DigestUpdate(verifier->message, bytes, count) == 1 &&
         EVP_DigestFinal_ex(verifier->message, digest, &digest_count) == 1 &&
         EVP_PKEY_verify(verifier->context, signature, signature_count, digest, digest_count) == 1;
}

static int verify_message(
    cossl_verifier *verifier, const uint8_t *bytes, size_t count, const uint8_t *signature, size_t signature_count) {
  EVP_MD_CTX *message = verifier->message;
  // Begun anew with the key that it has; older versions of OpenSSL want to be given it.
  int is_ready = EVP_DigestVerifyInit_ex(message, NULL, NULL, NULL, NULL, NULL, NULL) == 1 ||
                 EVP_DigestVerifyInit_ex(message, NULL, NULL, NULL, NULL, verifier->key, NULL) == 1;
  return is_ready && EVP_DigestVerify(message, signature, signature_count, bytes, count) == 1;
}

int cossl_verify(
    cossl_verifier *verifier, const uint8_t *bytes, size_t count, const uint8_t *signature, size_t signature_count) {
  int is_valid = verifier->context == NULL ? verify_message(verifier, bytes, count, signature, signature_count)
                                           : verify_digest(verifier, bytes, count, signature, signature_count);
  if (!is_valid) ERR_clear_error();
  return is_valid;
}
