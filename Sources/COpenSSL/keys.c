// Private keys: reading them fast.
//
// OpenSSL 3.0 tries every decoder of every provider on a key, which takes 320 µs; where it is known to be one
// for ECDSA, 10 µs do. The calls for that are deprecated, but there are no others that read DER.

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <string.h>

#include "internal.h"

// SEC 1 C.4, as PKCS #8 has it: without the curve, which stands beside it.
static EVP_PKEY *ec_key(int curve, const uint8_t *bytes, int count) {
  EC_KEY *key = EC_KEY_new_by_curve_name(curve);
  const uint8_t *position = bytes;
  EVP_PKEY *pkey = NULL;
  if (key != NULL && d2i_ECPrivateKey(&key, &position, count) != NULL && position == bytes + count) {
    pkey = EVP_PKEY_new();
  }
  if (pkey != NULL && EVP_PKEY_assign_EC_KEY(pkey, key) == 1) return pkey;
  EVP_PKEY_free(pkey);
  EC_KEY_free(key);
  return NULL;
}

EVP_PKEY *cossl_ec_key(const uint8_t *bytes, size_t count) {
  const uint8_t *position = bytes;
  PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &position, (long)count);
  const ASN1_OBJECT *kind, *curve;
  const X509_ALGOR *algorithm;
  const uint8_t *inner;
  int inner_count, type = V_ASN1_UNDEF;
  const void *parameter = NULL;
  EVP_PKEY *key = NULL;
  if (info != NULL && position == bytes + count &&
      PKCS8_pkey_get0(&kind, &inner, &inner_count, &algorithm, info) == 1 &&
      OBJ_obj2nid(kind) == NID_X9_62_id_ecPublicKey) {
    X509_ALGOR_get0(NULL, &type, &parameter, algorithm);
  }
  if (type == V_ASN1_OBJECT) {
    curve = parameter;
    key = ec_key(OBJ_obj2nid(curve), inner, inner_count);
  }
  PKCS8_PRIV_KEY_INFO_free(info);
  ERR_clear_error();
  return key;
}

size_t cossl_ec_point(EVP_PKEY *pkey, uint8_t *point, int *curve) {
  if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC) return 0;
  const EC_KEY *key = EVP_PKEY_get0_EC_KEY(pkey);
  const EC_GROUP *group = key == NULL ? NULL : EC_KEY_get0_group(key);
  if (group == NULL || EC_KEY_get0_public_key(key) == NULL) return 0;
  *curve = EC_GROUP_get_curve_name(group);
  return EC_POINT_point2oct(
      group, EC_KEY_get0_public_key(key), POINT_CONVERSION_UNCOMPRESSED, point, COSSL_POINT_BYTES_MAX, NULL);
}

EVP_PKEY *cossl_ec_key_pem(
    const uint8_t *bytes, size_t count, pem_password_cb *password, void *argument, uint8_t **der, size_t *der_count) {
  BIO *bio = BIO_new_mem_buf(bytes, (int)count);
  uint8_t *content = NULL;
  long content_count = 0;
  char *name = NULL;
  EVP_PKEY *key = NULL;
  // Memory that is overwritten before it is freed.
  int is_read = PEM_bytes_read_bio_secmem(
      &content, &content_count, &name, PEM_STRING_EVP_PKEY, bio, password, argument);
  if (is_read == 1 && strcmp(name, PEM_STRING_PKCS8INF) == 0) key = cossl_ec_key(content, (size_t)content_count);
  if (key != NULL) {
    *der = OPENSSL_memdup(content, (size_t)content_count);
    *der_count = (size_t)content_count;
  }
  OPENSSL_secure_free(name);
  if (content != NULL) OPENSSL_secure_clear_free(content, (size_t)content_count);
  BIO_free(bio);
  ERR_clear_error();
  return key;
}
