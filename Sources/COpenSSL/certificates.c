// Certificates, chains and keys: reading and checking.

#define _GNU_SOURCE
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <string.h>

#include "internal.h"

// MARK: Reading

// Keys are not to be asked a password for.
static int no_password(char *buffer, int size, int writes, void *argument) {
  (void)buffer, (void)size, (void)writes;
  *(int *)argument = 1;
  return -1;
}

static int ended_without_error(void) {
  unsigned long error = ERR_peek_last_error();
  int ended = error == 0 || (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  return ended;
}

static void add_certificate(cossl_certificate *certificate, X509 *x509) {
  if (certificate->leaf == NULL) {
    certificate->leaf = x509;
  } else {
    sk_X509_push(certificate->chain, x509);
  }
}

// Intermediate certificates read before, since few issuers sign most certificates: decoding one takes 80 us.
// Shared by all threads, under a lock that a worker takes only when it parses a certificate for its first
// handshake with it: decoding it each time would cost 80 us and another copy.
enum { INTERMEDIATES_MAX = 16 };
static struct {
  uint8_t *der;
  long count;
  X509 *x509;
} intermediates[INTERMEDIATES_MAX];
static int intermediates_next;
static pthread_mutex_t intermediates_lock = PTHREAD_MUTEX_INITIALIZER;

// Takes `der` over. Returns a certificate of the caller's, or NULL. From any thread.
static X509 *intermediate(uint8_t *der, long count) {
  X509 *found = NULL;
  pthread_mutex_lock(&intermediates_lock);
  for (int index = 0; index < INTERMEDIATES_MAX && found == NULL; index++) {
    if (intermediates[index].count == count && memcmp(intermediates[index].der, der, (size_t)count) == 0) {
      found = intermediates[index].x509;
      X509_up_ref(found);
    }
  }
  pthread_mutex_unlock(&intermediates_lock);
  if (found != NULL) {
    OPENSSL_free(der);
    return found;
  }
  const uint8_t *position = der;
  X509 *x509 = d2i_X509(NULL, &position, count);
  if (x509 == NULL) {
    OPENSSL_free(der);
    return NULL;
  }
  X509_up_ref(x509);
  pthread_mutex_lock(&intermediates_lock);
  uint8_t *old_der = intermediates[intermediates_next].der;
  X509 *old = intermediates[intermediates_next].x509;
  intermediates[intermediates_next].der = der;
  intermediates[intermediates_next].count = count;
  intermediates[intermediates_next].x509 = x509;
  intermediates_next = (intermediates_next + 1) % INTERMEDIATES_MAX;
  pthread_mutex_unlock(&intermediates_lock);
  OPENSSL_free(old_der);
  X509_free(old);
  return x509;
}

// The certificate at `position`, which moves behind it.
static X509 *next_intermediate(const uint8_t **position, const uint8_t *end) {
  const uint8_t *content = *position;
  long count;
  int tag, class;
  // With the highest bit set it is not DER.
  if ((ASN1_get_object(&content, &count, &tag, &class, end - content) & 0x80) != 0) return NULL;
  count += content - *position;
  uint8_t *der = OPENSSL_memdup(*position, (size_t)count);
  if (der == NULL) abort();
  *position += count;
  return intermediate(der, count);
}

// Without any algorithm. Made once.
static OSSL_LIB_CTX *no_algorithms;
static CRYPTO_ONCE no_algorithms_once = CRYPTO_ONCE_STATIC_INIT;

static void make_no_algorithms(void) {
  no_algorithms = OSSL_LIB_CTX_new();
  if (no_algorithms == NULL || OSSL_PROVIDER_load(no_algorithms, "null") == NULL) abort();
}

// A certificate whose public key is left in its bytes; `position` moves behind it. To decode the key OpenSSL 3.0
// looks through every decoder of every provider, which is nine tenths of the time that a certificate takes;
// without a provider there are none.
static X509 *without_public_key(const uint8_t **position, long count) {
  CRYPTO_THREAD_run_once(&no_algorithms_once, make_no_algorithms);
  X509 *x509 = X509_new_ex(no_algorithms, NULL);
  if (x509 == NULL) abort();
  if (d2i_X509(&x509, position, count) != NULL) return x509;
  X509_free(x509);  // NULL where the failure has freed it
  return NULL;
}

// The next certificate of a chain, or NULL with OpenSSL's error.
static X509 *read_next(cossl_certificate *certificate, BIO *bio) {
  uint8_t *der = NULL;
  long count = 0;
  if (PEM_bytes_read_bio(&der, &count, NULL, PEM_STRING_X509, bio, NULL, NULL) != 1) return NULL;
  if (certificate->leaf != NULL) return intermediate(der, count);
  const uint8_t *position = der;
  X509 *x509 = without_public_key(&position, count);
  OPENSSL_free(der);
  return x509;
}

static int read_chain(cossl_certificate *certificate, const uint8_t *bytes, size_t count) {
  BIO *bio = BIO_new_mem_buf(bytes, (int)count);
  ERR_clear_error();
  X509 *x509;
  while ((x509 = read_next(certificate, bio)) != NULL) add_certificate(certificate, x509);
  BIO_free(bio);
  if (!ended_without_error()) return COSSL_CERTIFICATE_BAD_PEM;
  return certificate->leaf == NULL ? COSSL_CERTIFICATE_NO_PEM : COSSL_CERTIFICATE_OK;
}

static int read_key(cossl_certificate *certificate, const uint8_t *bytes, size_t count) {
  int was_asked = 0;
  certificate->key =
      cossl_ec_key_pem(bytes, count, no_password, &was_asked, &certificate->key_der, &certificate->key_der_count);
  if (certificate->key != NULL) return COSSL_CERTIFICATE_OK;
  // Of another kind, or in need of a message.
  BIO *bio = BIO_new_mem_buf(bytes, (int)count);
  ERR_clear_error();
  certificate->key = PEM_read_bio_PrivateKey(bio, NULL, no_password, &was_asked);
  BIO_free(bio);
  ERR_clear_error();
  if (certificate->key != NULL) return COSSL_CERTIFICATE_OK;
  if (was_asked) return COSSL_CERTIFICATE_ENCRYPTED_KEY;
  static const char label[] = "PRIVATE KEY-----";
  int has_key = count > 0 && memmem(bytes, count, label, sizeof label - 1) != NULL;
  return has_key ? COSSL_CERTIFICATE_BAD_KEY : COSSL_CERTIFICATE_NO_KEY;
}

// Made once; connections of it tell what OpenSSL takes. Any thread may make one.
static SSL_CTX *probe_context;
static CRYPTO_ONCE probe_once = CRYPTO_ONCE_STATIC_INIT;

static void make_probe_context(void) {
  probe_context = SSL_CTX_new(TLS_method());
  // As of every context that serves (contexts.c).
  if (probe_context != NULL) SSL_CTX_set_security_level(probe_context, 2);
}

// Whether a connection could use it.
static int is_taken(const cossl_certificate *certificate) {
  CRYPTO_THREAD_run_once(&probe_once, make_probe_context);
  SSL *probe = probe_context == NULL ? NULL : SSL_new(probe_context);
  if (probe == NULL) abort();
  int status = SSL_use_cert_and_key(probe, certificate->leaf, certificate->key, certificate->chain, 1);
  SSL_free(probe);
  return status == 1;
}

// What no security level refuses: SHA-1 and MD5 are not among them.
static int has_strong_signature(X509 *x509) {
  switch (X509_get_signature_nid(x509)) {
    case NID_ecdsa_with_SHA256:
    case NID_ecdsa_with_SHA384:
    case NID_ecdsa_with_SHA512:
    case NID_sha256WithRSAEncryption:
    case NID_sha384WithRSAEncryption:
    case NID_sha512WithRSAEncryption: return 1;
    default: return 0;
  }
}

// Whether the certificate holds the point of an ECDSA key, in the form in which everybody writes it.
static int holds_point(X509 *x509, EVP_PKEY *key) {
  uint8_t point[COSSL_POINT_BYTES_MAX];
  const uint8_t *bytes;
  int curve, count, type = V_ASN1_UNDEF;
  size_t point_count = cossl_ec_point(key, point, &curve);
  const void *parameter = NULL;
  X509_ALGOR *algorithm;
  ASN1_OBJECT *kind;
  if (point_count == 0 ||
      X509_PUBKEY_get0_param(&kind, &bytes, &count, &algorithm, X509_get_X509_PUBKEY(x509)) != 1 ||
      OBJ_obj2nid(kind) != NID_X9_62_id_ecPublicKey) {
    return 0;
  }
  X509_ALGOR_get0(NULL, &type, &parameter, algorithm);
  return type == V_ASN1_OBJECT && OBJ_obj2nid(parameter) == curve && (size_t)count == point_count &&
         memcmp(bytes, point, point_count) == 0;
}

// Whether certificate, key and chain fit, seen without decoding the certificate's public key: true of nearly
// every ECDSA certificate. Where it is not seen, `check_fit` finds out.
static int fits_at_sight(const cossl_certificate *certificate) {
  X509 *subject = certificate->leaf;
  if (cossl_certificate_key_kind(certificate) < 0 || !has_strong_signature(subject) ||
      !holds_point(subject, certificate->key)) {
    return 0;
  }
  for (int index = 0; index < sk_X509_num(certificate->chain); index++) {
    X509 *issuer = sk_X509_value(certificate->chain, index);
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    if (X509_NAME_cmp(X509_get_issuer_name(subject), X509_get_subject_name(issuer)) != 0 ||
        !has_strong_signature(issuer) || key == NULL || EVP_PKEY_get_security_bits(key) < 112) {
      return 0;
    }
    subject = issuer;
  }
  return 1;
}

// Decodes the certificate again, with its public key.
static int decode_leaf(cossl_certificate *certificate) {
  uint8_t *der = NULL;
  int count = i2d_X509(certificate->leaf, &der);
  const uint8_t *position = der;
  X509 *whole = count > 0 ? d2i_X509(NULL, &position, count) : NULL;
  OPENSSL_free(der);
  if (whole == NULL) return 0;
  X509_free(certificate->leaf);
  certificate->leaf = whole;
  return 1;
}

static int check_fit(cossl_certificate *certificate, int *position) {
  if (fits_at_sight(certificate)) return COSSL_CERTIFICATE_OK;
  if (!decode_leaf(certificate)) return COSSL_CERTIFICATE_BAD_PEM;
  if (X509_check_private_key(certificate->leaf, certificate->key) != 1) {
    for (int index = 0; index < sk_X509_num(certificate->chain); index++) {
      *position = index + 1;
      if (X509_check_private_key(sk_X509_value(certificate->chain, index), certificate->key) == 1) {
        return COSSL_CERTIFICATE_ORDER;
      }
    }
    *position = 0;
    return COSSL_CERTIFICATE_MISMATCH;
  }
  X509 *subject = certificate->leaf;
  for (int index = 0; index < sk_X509_num(certificate->chain); index++) {
    X509 *issuer = sk_X509_value(certificate->chain, index);
    *position = index;
    if (X509_NAME_cmp(X509_get_issuer_name(subject), X509_get_subject_name(issuer)) != 0) {
      return COSSL_CERTIFICATE_CHAIN_ORDER;
    }
    subject = issuer;
  }
  *position = 0;
  if (cossl_certificate_key_kind(certificate) < 0) return COSSL_CERTIFICATE_KEY_KIND;
  // The commonest of what OpenSSL refuses at its security level 2, for an error that says so.
  if (cossl_certificate_key_kind(certificate) == COSSL_KEY_RSA && EVP_PKEY_get_bits(certificate->key) < 2048) {
    return COSSL_CERTIFICATE_KEY_SIZE;
  }
  return is_taken(certificate) ? COSSL_CERTIFICATE_OK : COSSL_CERTIFICATE_WEAK;
}

static cossl_certificate *certificate_new(void) {
  cossl_certificate *certificate = OPENSSL_zalloc(sizeof *certificate);
  if (certificate == NULL) abort();
  certificate->chain = sk_X509_new_null();
  return certificate;
}

cossl_certificate *cossl_certificate_read(
    const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count, int *status, int *position) {
  cossl_certificate *certificate = certificate_new();
  *position = 0;
  *status = read_chain(certificate, chain, chain_count);
  if (*status == COSSL_CERTIFICATE_BAD_PEM) {
    *position = certificate->leaf == NULL ? 0 : sk_X509_num(certificate->chain) + 1;
  }
  if (*status == COSSL_CERTIFICATE_OK) *status = read_key(certificate, key, key_count);
  if (*status == COSSL_CERTIFICATE_OK) *status = check_fit(certificate, position);
  ERR_clear_error();
  if (*status == COSSL_CERTIFICATE_OK) return certificate;
  cossl_certificate_free(certificate);
  return NULL;
}

// Gives a certificate that was read without its public key the one that its private key has. Says whether they
// are the same.
static int take_public_key(X509 *leaf, EVP_PKEY *key) {
  uint8_t *expected = NULL, *taken = NULL;
  int expected_count = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &expected);
  int is_same = 0;
  if (expected_count > 0 && X509_set_pubkey(leaf, key) == 1) {
    int taken_count = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &taken);
    is_same = taken_count == expected_count && memcmp(taken, expected, (size_t)taken_count) == 0;
  }
  OPENSSL_free(expected);
  OPENSSL_free(taken);
  return is_same;
}

// The first certificate of a chain; `position` moves behind it. With the key at hand, it takes 20 us instead of
// 140, and this is what the first handshake for a host waits for.
static X509 *parse_leaf(const uint8_t **position, long count, EVP_PKEY *key) {
  const uint8_t *start = *position;
  X509 *leaf = without_public_key(position, count);
  if (leaf != NULL && take_public_key(leaf, key)) return leaf;
  X509_free(leaf);
  *position = start;
  return d2i_X509(NULL, position, count);
}

cossl_certificate *cossl_certificate_parse(
    const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count) {
  cossl_certificate *certificate = certificate_new();
  const uint8_t *key_position = key;
  certificate->key = cossl_ec_key(key, key_count);
  int is_ec = certificate->key != NULL;
  if (!is_ec) certificate->key = d2i_AutoPrivateKey(NULL, &key_position, (long)key_count);
  const uint8_t *position = chain, *end = chain + chain_count;
  certificate->leaf = is_ec ? parse_leaf(&position, (long)chain_count, certificate->key)
                            : d2i_X509(NULL, &position, (long)chain_count);
  while (certificate->leaf != NULL && position < end) {
    X509 *x509 = next_intermediate(&position, end);
    if (x509 == NULL) break;
    add_certificate(certificate, x509);
  }
  ERR_clear_error();
  if (certificate->leaf != NULL && certificate->key != NULL) return certificate;
  cossl_certificate_free(certificate);
  return NULL;
}

void cossl_certificate_free(cossl_certificate *certificate) {
  X509_free(certificate->leaf);
  EVP_PKEY_free(certificate->key);
  sk_X509_pop_free(certificate->chain, X509_free);
  OPENSSL_clear_free(certificate->key_der, certificate->key_der_count);
  OPENSSL_free(certificate);
}
