// The wire and the BIO on it; secrets; errors.

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

// At the end of the process threads may still free what is theirs. OpenSSL must not have taken down its own tables
// by then, which it does at exit otherwise.
__attribute__((constructor)) static void keep_tables(void) {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

cossl_wire *cossl_wire_new(size_t out_capacity) {
  cossl_wire *wire = calloc(1, sizeof *wire);
  if (wire == NULL) abort();
  wire->out = malloc(out_capacity);
  if (wire->out == NULL) abort();
  wire->out_capacity = out_capacity;
  return wire;
}

void cossl_wire_free(cossl_wire *wire) {
  SSL_SESSION_free(wire->new_session);
  free(wire->out);
  free(wire);
}

void cossl_wire_reserve(cossl_wire *wire, size_t count) {
  if (wire->out_capacity - wire->out_count >= count) return;
  size_t capacity = wire->out_capacity * 2;
  if (capacity < wire->out_count + count) capacity = wire->out_count + count;
  uint8_t *out = realloc(wire->out, capacity);
  if (out == NULL) abort();
  wire->out = out;
  wire->out_capacity = capacity;
}

static int bio_read(BIO *bio, char *room, size_t count, size_t *read) {
  cossl_wire *wire = BIO_get_data(bio);
  BIO_clear_retry_flags(bio);
  if (count > wire->in_count) count = wire->in_count;
  *read = count;
  if (count == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  memcpy(room, wire->in, count);
  wire->in += count;
  wire->in_count -= count;
  return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t count, size_t *written) {
  cossl_wire *wire = BIO_get_data(bio);
  cossl_wire_reserve(wire, count);
  memcpy(wire->out + wire->out_count, bytes, count);
  wire->out_count += count;
  *written = count;
  return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer) {
  (void)bio, (void)number, (void)pointer;
  return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;
static CRYPTO_ONCE bio_method_once = CRYPTO_ONCE_STATIC_INIT;

static void make_bio_method(void) {
  bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
  if (bio_method == NULL) abort();
  BIO_meth_set_read_ex(bio_method, bio_read);
  BIO_meth_set_write_ex(bio_method, bio_write);
  BIO_meth_set_ctrl(bio_method, bio_control);
}

BIO *cossl_wire_bio(cossl_wire *wire) {
  CRYPTO_THREAD_run_once(&bio_method_once, make_bio_method);
  BIO *bio = BIO_new(bio_method);
  if (bio == NULL) abort();
  BIO_set_data(bio, wire);
  BIO_set_init(bio, 1);
  return bio;
}

// MARK: Secrets

void cossl_secret_free(uint8_t *bytes, size_t count) { OPENSSL_clear_free(bytes, count); }

void cossl_cleanse(void *bytes, size_t count) { OPENSSL_cleanse(bytes, count); }

void cossl_sha1(const uint8_t *bytes, size_t count, uint8_t *digest20) {
  EVP_Digest(bytes, count, digest20, NULL, EVP_sha1(), NULL);
}

int cossl_md5(const uint8_t *bytes, size_t count, uint8_t *digest16) {
  return EVP_Digest(bytes, count, digest16, NULL, EVP_md5(), NULL) == 1 ? 0 : -1;
}

void cossl_sha256(const uint8_t *bytes, size_t count, uint8_t *digest) { SHA256(bytes, count, digest); }

// MARK: Errors

int cossl_error_kind(unsigned long error, long verify_error) {
  if (ERR_GET_LIB(error) != ERR_LIB_SSL) return COSSL_KIND_OTHER;
  switch (ERR_GET_REASON(error)) {
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_CERTIFICATE_SET:
    case SSL_R_NO_CIPHERS_SPECIFIED:
      return COSSL_KIND_NO_SHARED_CIPHER;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_INAPPROPRIATE_FALLBACK:
      return COSSL_KIND_UNSUPPORTED_PROTOCOL;
    case SSL_R_CALLBACK_FAILED:
      return COSSL_KIND_UNKNOWN_HOST;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return COSSL_KIND_NO_CLIENT_CERTIFICATE;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      switch (verify_error) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
          return COSSL_KIND_WRONG_NAME;
        default:
          return COSSL_KIND_BAD_CERTIFICATE;
      }
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return COSSL_KIND_PLAIN_HTTP;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return COSSL_KIND_NO_APPLICATION_PROTOCOL;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_LENGTH_MISMATCH:
    case SSL_R_BAD_PACKET:
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
      return COSSL_KIND_MALFORMED;
    default:
      // An alert that was received is an error of its own.
      return ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET ? COSSL_KIND_ALERT : COSSL_KIND_OTHER;
  }
}

const char *cossl_error_text(unsigned long error) { return ERR_reason_error_string(error); }

const char *cossl_verify_text(long verify_error) { return X509_verify_cert_error_string(verify_error); }

const char *cossl_alert_text(int alert) { return SSL_alert_desc_string_long(alert); }
