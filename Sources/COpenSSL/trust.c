// Bundles of trusted certificates and lists of revoked ones.

#include <openssl/pem.h>

#include "internal.h"

static cossl_trust *trust_new(void) {
  cossl_trust *trust = OPENSSL_zalloc(sizeof *trust);
  if (trust == NULL) abort();
  trust->store = X509_STORE_new();
  if (trust->store == NULL) abort();
  // Whoever lists an intermediate certificate trusts it.
  X509_STORE_set_flags(trust->store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
  return trust;
}

static int ended_without_error(void) {
  unsigned long error = ERR_peek_last_error();
  int ended = error == 0 || (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE);
  ERR_clear_error();
  return ended;
}

static int read_certificates(cossl_trust *trust, const uint8_t *bytes, size_t count) {
  BIO *bio = BIO_new_mem_buf(bytes, (int)count);
  ERR_clear_error();
  trust->names = sk_X509_NAME_new_null();
  X509 *certificate;
  while ((certificate = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL)) != NULL) {
    X509_STORE_add_cert(trust->store, certificate);
    sk_X509_NAME_push(trust->names, X509_NAME_dup(X509_get_subject_name(certificate)));
    X509_free(certificate);
  }
  BIO_free(bio);
  if (!ended_without_error()) return COSSL_CERTIFICATE_BAD_PEM;
  return sk_X509_NAME_num(trust->names) == 0 ? COSSL_CERTIFICATE_NO_PEM : COSSL_CERTIFICATE_OK;
}

static int read_revocations(cossl_trust *trust, const uint8_t *bytes, size_t count) {
  BIO *bio = BIO_new_mem_buf(bytes, (int)count);
  ERR_clear_error();
  int lists = 0;
  X509_CRL *list;
  while ((list = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL)) != NULL) {
    X509_STORE_add_crl(trust->store, list);
    X509_CRL_free(list);
    lists++;
  }
  BIO_free(bio);
  if (!ended_without_error()) return COSSL_CERTIFICATE_BAD_KEY;
  X509_STORE_set_flags(trust->store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return lists == 0 ? COSSL_CERTIFICATE_NO_KEY : COSSL_CERTIFICATE_OK;
}

cossl_trust *cossl_trust_read(const uint8_t *pem, size_t count, const uint8_t *crl, size_t crl_count, int *status) {
  cossl_trust *trust = trust_new();
  *status = read_certificates(trust, pem, count);
  if (*status == COSSL_CERTIFICATE_OK && crl != NULL) *status = read_revocations(trust, crl, crl_count);
  if (*status == COSSL_CERTIFICATE_OK) return trust;
  cossl_trust_free(trust);
  return NULL;
}

cossl_trust *cossl_trust_system(void) {
  cossl_trust *trust = trust_new();
  int loaded = X509_STORE_set_default_paths(trust->store);
  ERR_clear_error();
  if (loaded == 1) return trust;
  cossl_trust_free(trust);
  return NULL;
}

void cossl_trust_free(cossl_trust *trust) {
  X509_STORE_free(trust->store);
  sk_X509_NAME_pop_free(trust->names, X509_NAME_free);
  OPENSSL_free(trust);
}
