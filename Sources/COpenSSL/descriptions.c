// What a certificate says, and what an OCSP response says of it.

#define _GNU_SOURCE
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

#include "internal.h"

// MARK: OCSP

// By serial and issuer's name: the issuer's certificate may be missing from the chain.
static int is_about(OCSP_SINGLERESP *single, X509 *leaf) {
  ASN1_OCTET_STRING *name_hash;
  ASN1_OBJECT *algorithm;
  ASN1_INTEGER *serial;
  OCSP_CERTID *id = (OCSP_CERTID *)OCSP_SINGLERESP_get0_id(single);
  if (OCSP_id_get0_info(&name_hash, &algorithm, NULL, &serial, id) != 1) return 0;
  const EVP_MD *hash = EVP_get_digestbyobj(algorithm);
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned count;
  return hash != NULL && ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0 &&
         X509_NAME_digest(X509_get_issuer_name(leaf), hash, digest, &count) == 1 &&
         (unsigned)ASN1_STRING_length(name_hash) == count &&
         memcmp(ASN1_STRING_get0_data(name_hash), digest, count) == 0;
}

static int64_t end_of(OCSP_SINGLERESP *single) {
  ASN1_GENERALIZEDTIME *next = NULL;
  OCSP_single_get0_status(single, NULL, NULL, NULL, &next);
  struct tm parts;
  // Without nextUpdate newer ones are there at all times (RFC 6960 §4.2.2.1).
  return next != NULL && ASN1_TIME_to_tm(next, &parts) == 1 ? (int64_t)timegm(&parts) : INT64_MAX;
}

int cossl_certificate_ocsp(const cossl_certificate *certificate, const uint8_t *bytes, size_t count, int64_t *end) {
  *end = INT64_MAX;
  OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &bytes, (long)count);
  OCSP_BASICRESP *basic = response == NULL ? NULL : OCSP_response_get1_basic(response);
  int status = basic == NULL ? COSSL_CERTIFICATE_OK : COSSL_CERTIFICATE_OCSP_OTHER;
  for (int index = 0; basic != NULL && index < OCSP_resp_count(basic); index++) {
    OCSP_SINGLERESP *single = OCSP_resp_get0(basic, index);
    if (!is_about(single, certificate->leaf)) continue;
    *end = end_of(single);
    status = COSSL_CERTIFICATE_OK;
    break;
  }
  OCSP_BASICRESP_free(basic);
  OCSP_RESPONSE_free(response);
  ERR_clear_error();
  return status;
}

// MARK: What it is

X509 *cossl_certificate_leaf(const cossl_certificate *certificate) { return certificate->leaf; }

int cossl_certificate_key_kind(const cossl_certificate *certificate) {
  switch (EVP_PKEY_get_base_id(certificate->key)) {
    case EVP_PKEY_RSA: return COSSL_KEY_RSA;
    case EVP_PKEY_ED25519: return COSSL_KEY_ED25519;
    case EVP_PKEY_EC: break;
    default: return -1;
  }
  char group[32];
  if (EVP_PKEY_get_group_name(certificate->key, group, sizeof group, NULL) != 1) return -1;
  switch (OBJ_sn2nid(group)) {
    case NID_X9_62_prime256v1: return COSSL_KEY_P256;
    case NID_secp384r1: return COSSL_KEY_P384;
    case NID_secp521r1: return COSSL_KEY_P521;
    default: return -1;
  }
}

uint8_t *cossl_certificate_chain_der(const cossl_certificate *certificate, size_t *count) {
  int leaf = i2d_X509(certificate->leaf, NULL);
  if (leaf < 0) return NULL;
  size_t total = (size_t)leaf;
  for (int index = 0; index < sk_X509_num(certificate->chain); index++) {
    int size = i2d_X509(sk_X509_value(certificate->chain, index), NULL);
    if (size < 0) return NULL;
    total += (size_t)size;
  }
  uint8_t *bytes = OPENSSL_malloc(total);
  if (bytes == NULL) return NULL;
  uint8_t *position = bytes;
  i2d_X509(certificate->leaf, &position);
  for (int index = 0; index < sk_X509_num(certificate->chain); index++) {
    i2d_X509(sk_X509_value(certificate->chain, index), &position);
  }
  *count = total;
  return bytes;
}

uint8_t *cossl_certificate_key_der(const cossl_certificate *certificate, size_t *count) {
  if (certificate->key_der != NULL) {
    *count = certificate->key_der_count;
    return OPENSSL_memdup(certificate->key_der, certificate->key_der_count);
  }
  uint8_t *bytes = NULL;
  PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(certificate->key);
  if (info == NULL) return NULL;
  int size = i2d_PKCS8_PRIV_KEY_INFO(info, &bytes);
  PKCS8_PRIV_KEY_INFO_free(info);
  if (size < 0) return NULL;
  *count = (size_t)size;
  return bytes;
}

void cossl_bytes_free(uint8_t *bytes) { OPENSSL_free(bytes); }

// The memory of a BIO, taken out of it.
static uint8_t *take(BIO *bio, size_t *count) {
  char *content;
  long size = BIO_get_mem_data(bio, &content);
  uint8_t *bytes = OPENSSL_memdup(content, size > 0 ? (size_t)size : 1);
  *count = size > 0 ? (size_t)size : 0;
  BIO_free(bio);
  return bytes;
}

uint8_t *cossl_x509_text(X509 *certificate, int what, size_t *count) {
  BIO *bio = BIO_new(BIO_s_mem());
  if (bio == NULL) return NULL;
  // RFC 2253 with its escapes, but with UTF-8 as it is.
  const unsigned long flags = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
  switch (what) {
    case COSSL_TEXT_SUBJECT:
      X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, flags);
      break;
    case COSSL_TEXT_ISSUER:
      X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, flags);
      break;
    case COSSL_TEXT_SERIAL:
      i2a_ASN1_INTEGER(bio, X509_get0_serialNumber(certificate));
      break;
    case COSSL_TEXT_PEM:
      PEM_write_bio_X509(bio, certificate);
      break;
    default:
      i2d_X509_bio(bio, certificate);
      break;
  }
  ERR_clear_error();
  return take(bio, count);
}

int cossl_x509_fingerprint(X509 *certificate, uint8_t *digest) {
  unsigned count = 0;
  return X509_digest(certificate, EVP_sha256(), digest, &count) == 1;
}

static int64_t seconds(const ASN1_TIME *time) {
  int days = 0, rest = 0;
  ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
  int known = epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, time);
  ASN1_TIME_free(epoch);
  return known ? (int64_t)days * 86400 + rest : 0;
}

int64_t cossl_x509_not_before(X509 *certificate) { return seconds(X509_get0_notBefore(certificate)); }
int64_t cossl_x509_not_after(X509 *certificate) { return seconds(X509_get0_notAfter(certificate)); }

void cossl_x509_free(X509 *certificate) { X509_free(certificate); }

// MARK: Names

struct cossl_names {
  GENERAL_NAMES *list;
};

cossl_names *cossl_x509_names(X509 *certificate) {
  GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  ERR_clear_error();
  if (list == NULL) return NULL;
  cossl_names *names = OPENSSL_malloc(sizeof *names);
  if (names == NULL) abort();
  names->list = list;
  return names;
}

size_t cossl_names_count(const cossl_names *names) { return (size_t)sk_GENERAL_NAME_num(names->list); }

int cossl_names_at(const cossl_names *names, size_t index, const uint8_t **bytes, size_t *count) {
  int type;
  const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names->list, (int)index), &type);
  int kind = COSSL_NAME_OTHER;
  switch (type) {
    case GEN_DNS: kind = COSSL_NAME_DNS; break;
    case GEN_EMAIL: kind = COSSL_NAME_EMAIL; break;
    case GEN_URI: kind = COSSL_NAME_URI; break;
    case GEN_IPADD: kind = COSSL_NAME_IP; break;
    default: break;
  }
  // Only these kinds are strings.
  *bytes = kind == COSSL_NAME_OTHER ? NULL : ASN1_STRING_get0_data(value);
  *count = kind == COSSL_NAME_OTHER ? 0 : (size_t)ASN1_STRING_length(value);
  return kind;
}

void cossl_names_free(cossl_names *names) {
  GENERAL_NAMES_free(names->list);
  OPENSSL_free(names);
}
