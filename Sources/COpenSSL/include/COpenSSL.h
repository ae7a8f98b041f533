#pragma once
// OpenSSL 3 for Swift. No header of OpenSSL is included here: its types are opaque to Swift, and what
// OpenSSL offers as macros, callbacks or variadic calls is a function here.
//
// Sockets are not touched: ciphertext moves through a cossl_wire, which Swift fills and empties. Nothing
// calls back into Swift: where OpenSSL asks for a decision, the call that it interrupts returns and is
// made again.
//
// Unless said otherwise, functions belong to the worker's thread, and the caller's memory is used during
// the call only.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __clang__
#pragma clang assume_nonnull begin
#endif

typedef struct ssl_st SSL;
typedef struct x509_st X509;
typedef struct evp_cipher_ctx_st EVP_CIPHER_CTX;
typedef struct ssl_session_st SSL_SESSION;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;
typedef struct evp_mac_ctx_st EVP_MAC_CTX;
typedef struct evp_md_ctx_st EVP_MD_CTX;

/// What a call on a connection answers; OpenSSL's own queue of errors is empty afterwards.
enum {
  COSSL_DONE = 0,
  COSSL_WANTS_READ = -1,
  /// The ClientHello has come: look at it, then set the wire's `hello`.
  COSSL_WANTS_HELLO = -2,
  /// A certificate is needed: set one, then set the wire's `certificate`.
  COSSL_WANTS_CERTIFICATE = -3,
  /// See the wire's `error` and `alert`.
  COSSL_FAILED = -4,
};

/// What is decided about a connection; Swift sets it before every call.
enum { COSSL_UNDECIDED = 0, COSSL_ACCEPTED = 1, COSSL_REFUSED = 2 };

enum { COSSL_SECRET_BYTES_MAX = 48 };

/// Ciphertext between one worker's sockets and OpenSSL. All connections of the worker share it: Swift
/// fills and empties it around every call.
typedef struct cossl_wire {
  /// Received, and still to be read by OpenSSL.
  const uint8_t *_Nullable in;
  size_t in_count;
  /// Written by OpenSSL, and still to be sent. Grows.
  uint8_t *out;
  size_t out_count;
  size_t out_capacity;
  uint8_t hello;
  uint8_t certificate;
  /// Alert of the last call that failed (RFC 8446 §6), and whether it was received.
  uint8_t alert;
  uint8_t alert_was_received;
  /// OpenSSL's code of the first error of the last call that failed.
  unsigned long error;
  /// X509_V_ERR_… of the peer's certificate in the last call that failed.
  long verify_error;
  /// Where traffic secrets of TLS 1.3 are put; NULL: nowhere.
  struct cossl_keys *_Nullable keys;
  /// A session that the server gave; Swift takes it over.
  SSL_SESSION *_Nullable new_session;
} cossl_wire;

/// @param out_capacity to begin with.
cossl_wire *cossl_wire_new(size_t out_capacity);
void cossl_wire_free(cossl_wire *wire);
/// Makes room for `count` more bytes behind `out_count`.
void cossl_wire_reserve(cossl_wire *wire, size_t count);

// MARK: Secrets

/// Overwrites bytes that OpenSSL made, and frees them. From any thread.
void cossl_secret_free(uint8_t *_Nullable bytes, size_t count);
void cossl_cleanse(void *bytes, size_t count);
void cossl_sha256(const uint8_t *bytes, size_t count, uint8_t *digest32);
/// For protocols that ask for it as a checksum (RFC 6455); not for anything that must be secure.
void cossl_sha1(const uint8_t *bytes, size_t count, uint8_t *digest20);
/// For the hashes of old password files. 0, or -1 where it is switched off.
int cossl_md5(const uint8_t *bytes, size_t count, uint8_t *digest16);

/// AES-256-GCM. `out` has room for `count` bytes and the tag; `beside` is authenticated, and not in `out`.
/// A nonce is used once. 0 on failure.
int cossl_box_seal(
    const uint8_t *key32, const uint8_t *nonce12, const uint8_t *beside, size_t beside_count, const uint8_t *in,
    size_t count, uint8_t *out);
/// `count` is with the tag; `out` has room for as many bytes less the tag. 0 when it is not authentic.
int cossl_box_open(
    const uint8_t *key32, const uint8_t *nonce12, const uint8_t *beside, size_t beside_count, const uint8_t *in,
    size_t count, uint8_t *out);
/// Bytes that nobody can guess.
void cossl_random(uint8_t *bytes, size_t count);

// MARK: Codes and signatures of messages

enum { COSSL_DIGEST_SHA1 = 0, COSSL_DIGEST_SHA256, COSSL_DIGEST_SHA384, COSSL_DIGEST_SHA512 };
enum { COSSL_DIGEST_BYTES_MAX = 64 };

/// A digest that is made in steps. NULL where OpenSSL does not offer it.
EVP_MD_CTX *_Nullable cossl_digest_new(int digest);
void cossl_digest_add(EVP_MD_CTX *context, const uint8_t *bytes, size_t count);
/// `out` has room for the digest; nothing may be added afterwards.
void cossl_digest_end(EVP_MD_CTX *context, uint8_t *out);
void cossl_digest_free(EVP_MD_CTX *_Nullable context);

/// A workspace for HMAC (RFC 2104), for any keys. NULL where OpenSSL does not offer the digest.
EVP_MAC_CTX *_Nullable cossl_hmac_new(int digest);
void cossl_hmac_free(EVP_MAC_CTX *_Nullable context);
/// Bytes of the code; 0 on failure. The key is not empty.
size_t cossl_hmac(
    EVP_MAC_CTX *context, const uint8_t *key, size_t key_count, const uint8_t *bytes, size_t count, uint8_t *out64);

enum {
  COSSL_PUBLIC_KEY_RSA = 0,
  COSSL_PUBLIC_KEY_P256,
  COSSL_PUBLIC_KEY_P384,
  COSSL_PUBLIC_KEY_P521,
  COSSL_PUBLIC_KEY_ED25519,
  /// Why there is no key.
  COSSL_PUBLIC_KEY_UNREADABLE = -1,
  COSSL_PUBLIC_KEY_OTHER = -2,
  /// RSA with less than 2048 or more than 8192 bits.
  COSSL_PUBLIC_KEY_SIZE = -3,
};

/// From any thread, as is all use of keys. `kind` is set to the key's, or to why there is none.
/// From PEM: a public key, or a certificate.
EVP_PKEY *_Nullable cossl_public_key_pem(const uint8_t *bytes, size_t count, int *kind);
/// Modulus and exponent, big-endian.
EVP_PKEY *_Nullable cossl_public_key_rsa(
    const uint8_t *n, size_t n_count, const uint8_t *e, size_t e_count, int *kind);
/// An uncompressed point (SEC 1, 2.3.3) on one of the three curves.
EVP_PKEY *_Nullable cossl_public_key_ec(int curve, const uint8_t *point, size_t count, int *kind);
EVP_PKEY *_Nullable cossl_public_key_ed25519(const uint8_t *bytes32, int *kind);
void cossl_public_key_free(EVP_PKEY *_Nullable key);

/// What verifies signatures by one key, which has to live as long, for one thread. NULL where the key does not do.
/// @param digest of no meaning for Ed25519, which has its own.
typedef struct cossl_verifier cossl_verifier;
cossl_verifier *_Nullable cossl_verifier_new(EVP_PKEY *key, int digest, int is_pss);
void cossl_verifier_free(cossl_verifier *_Nullable verifier);
/// 1 where the signature is the message's; of ECDSA, it is both numbers one behind the other, equally long.
int cossl_verify(
    cossl_verifier *verifier, const uint8_t *bytes, size_t count, const uint8_t *signature, size_t signature_count);

// MARK: Errors

enum {
  COSSL_KIND_OTHER = 0,
  COSSL_KIND_NO_SHARED_CIPHER,
  COSSL_KIND_UNSUPPORTED_PROTOCOL,
  COSSL_KIND_UNKNOWN_HOST,
  COSSL_KIND_NO_CLIENT_CERTIFICATE,
  COSSL_KIND_BAD_CERTIFICATE,
  COSSL_KIND_WRONG_NAME,
  COSSL_KIND_ALERT,
  COSSL_KIND_MALFORMED,
  COSSL_KIND_PLAIN_HTTP,
  COSSL_KIND_NO_APPLICATION_PROTOCOL,
};
int cossl_error_kind(unsigned long error, long verify_error);
/// OpenSSL's words for a code; static.
const char *_Nullable cossl_error_text(unsigned long error);
const char *cossl_verify_text(long verify_error);
/// As RFC 8446 names alerts, with spaces; static.
const char *cossl_alert_text(int alert);

// MARK: Certificates (any thread)

/// A certificate with its chain and key, parsed.
typedef struct cossl_certificate cossl_certificate;

enum {
  COSSL_CERTIFICATE_OK = 0,
  COSSL_CERTIFICATE_NO_PEM = -1,
  COSSL_CERTIFICATE_BAD_PEM = -2,
  COSSL_CERTIFICATE_NO_KEY = -3,
  COSSL_CERTIFICATE_ENCRYPTED_KEY = -4,
  COSSL_CERTIFICATE_BAD_KEY = -5,
  COSSL_CERTIFICATE_MISMATCH = -6,
  /// The key fits a certificate of the chain that is not the first.
  COSSL_CERTIFICATE_ORDER = -7,
  /// A certificate of the chain was not issued by the one that follows.
  COSSL_CERTIFICATE_CHAIN_ORDER = -8,
  COSSL_CERTIFICATE_KEY_KIND = -9,
  COSSL_CERTIFICATE_KEY_SIZE = -10,
  /// A key or a signature of the chain is below OpenSSL's security level 2.
  COSSL_CERTIFICATE_WEAK = -11,
  COSSL_CERTIFICATE_OCSP_OTHER = -12,
};

enum { COSSL_KEY_P256 = 0, COSSL_KEY_P384, COSSL_KEY_P521, COSSL_KEY_ED25519, COSSL_KEY_RSA };

/// Reads a chain and its key from PEM, and checks that they fit. `position` is set to the certificate
/// that an error is about, counted from 0.
cossl_certificate *_Nullable cossl_certificate_read(
    const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count, int *status, int *position);
/// From what cossl_certificate_chain_der and cossl_certificate_key_der gave.
cossl_certificate *_Nullable cossl_certificate_parse(
    const uint8_t *chain, size_t chain_count, const uint8_t *key, size_t key_count);
void cossl_certificate_free(cossl_certificate *certificate);
/// Whether an OCSP response (RFC 6960 §4.2.1) is for the certificate; `end` is its
/// nextUpdate in seconds since 1970-01-01 UTC, INT64_MAX without one. What has no basic response passes.
int cossl_certificate_ocsp(
    const cossl_certificate *certificate, const uint8_t *bytes, size_t count, int64_t *end);
X509 *cossl_certificate_leaf(const cossl_certificate *certificate);
int cossl_certificate_key_kind(const cossl_certificate *certificate);

/// Text or bytes that OpenSSL made; free with cossl_bytes_free. NULL where it has none.
uint8_t *_Nullable cossl_certificate_chain_der(const cossl_certificate *certificate, size_t *count);
/// PKCS #8. Free with cossl_secret_free.
uint8_t *_Nullable cossl_certificate_key_der(const cossl_certificate *certificate, size_t *count);
void cossl_bytes_free(uint8_t *_Nullable bytes);

enum {
  /// RFC 2253, UTF-8.
  COSSL_TEXT_SUBJECT = 0,
  COSSL_TEXT_ISSUER,
  /// Upper-case hexadecimal.
  COSSL_TEXT_SERIAL,
  COSSL_TEXT_PEM,
  COSSL_TEXT_DER,
};
uint8_t *_Nullable cossl_x509_text(X509 *certificate, int what, size_t *count);
/// 32 bytes.
int cossl_x509_fingerprint(X509 *certificate, uint8_t *digest32);
/// Seconds since 1970-01-01 UTC.
int64_t cossl_x509_not_before(X509 *certificate);
int64_t cossl_x509_not_after(X509 *certificate);
void cossl_x509_free(X509 *_Nullable certificate);

enum { COSSL_NAME_OTHER = 0, COSSL_NAME_DNS, COSSL_NAME_EMAIL, COSSL_NAME_URI, COSSL_NAME_IP };
/// The names of the subjectAltName extension; NULL where it is missing.
typedef struct cossl_names cossl_names;
cossl_names *_Nullable cossl_x509_names(X509 *certificate);
size_t cossl_names_count(const cossl_names *names);
/// The name's kind; its bytes live as long as the names. An IP address is 4 or 16 octets.
int cossl_names_at(const cossl_names *names, size_t index, const uint8_t *_Nullable *_Nonnull bytes, size_t *count);
void cossl_names_free(cossl_names *names);

/// Certificates to verify against; shared by threads.
typedef struct cossl_trust cossl_trust;
/// From PEM; `crl` may be NULL. NULL on failure, with a status as of cossl_certificate_read: NO_KEY means
/// that there is no CRL in the CRL file.
cossl_trust *_Nullable cossl_trust_read(
    const uint8_t *pem, size_t count, const uint8_t *_Nullable crl, size_t crl_count, int *status);
cossl_trust *_Nullable cossl_trust_system(void);
void cossl_trust_free(cossl_trust *trust);

// MARK: Ticket keys (any thread)

/// An immutable list of keys: the first seals.
typedef struct cossl_ticket_keys cossl_ticket_keys;
/// `bytes` holds `count` keys of 80 bytes: name (16), HMAC key (32), AES key (32), and `short_keys` says
/// by bit which of them use but the first half of both (nginx's files of 48 bytes).
cossl_ticket_keys *cossl_ticket_keys_new(const uint8_t *bytes, size_t count, uint32_t short_keys);
/// A new random key before the first `kept` of `old`.
cossl_ticket_keys *_Nullable cossl_ticket_keys_rotated(const cossl_ticket_keys *_Nullable old, size_t kept);
size_t cossl_ticket_keys_count(const cossl_ticket_keys *keys);
void cossl_ticket_keys_free(cossl_ticket_keys *keys);

// MARK: Contexts

enum { COSSL_PROFILE_MODERN = 0, COSSL_PROFILE_INTERMEDIATE = 1 };

typedef struct cossl_context cossl_context;

/// @param alpn protocols in preference and wire format (RFC 7301 §3.1), at most 64 bytes.
cossl_context *_Nullable cossl_server_context(
    cossl_wire *wire, int profile, const uint8_t *_Nullable alpn, size_t alpn_count, const uint8_t *session_context32,
    long session_seconds);
cossl_context *_Nullable cossl_client_context(
    cossl_wire *wire, int profile, const uint8_t *_Nullable alpn, size_t alpn_count);
void cossl_context_free(cossl_context *context);
/// Nothing later than TLS 1.2.
void cossl_context_limit_to_tls12(cossl_context *context);
/// NULL: no tickets. The keys must live until they are replaced.
void cossl_context_set_ticket_keys(cossl_context *context, const cossl_ticket_keys *_Nullable keys);
void cossl_context_verify_clients(cossl_context *context, cossl_trust *trust, int is_required, int depth);
void cossl_context_verify_servers(cossl_context *context, cossl_trust *trust, int depth);
int cossl_context_use_certificate(cossl_context *context, cossl_certificate *certificate);

// MARK: Connections

SSL *_Nullable cossl_server_new(cossl_context *context);
/// @param name verified and, unless `is_address`, sent; NULL: neither.
SSL *_Nullable cossl_client_new(
    cossl_context *context, const char *_Nullable sent_name, const char *_Nullable verified_name, int is_address);
void cossl_free(SSL *ssl);
int cossl_handshake(SSL *ssl);
/// Bytes read (> 0), COSSL_DONE after close_notify, or another status.
ssize_t cossl_read(SSL *ssl, void *room, size_t count);
/// Reads what is no content; 1 when content waits, COSSL_DONE after close_notify, or another status.
int cossl_peek(SSL *ssl);
/// Writes one record of `count` bytes, at most 16,384.
int cossl_write(SSL *ssl, const void *bytes, size_t count);
/// Writes close_notify.
void cossl_write_close(SSL *ssl);
/// Plaintext that was decrypted and not read.
size_t cossl_pending(const SSL *ssl);
/// Whether OpenSSL holds anything of what it read: plaintext, or part of a record.
int cossl_has_input(const SSL *ssl);

// During COSSL_WANTS_HELLO:

/// An extension's content; 0 where it is missing.
int cossl_hello_extension(SSL *ssl, unsigned type, const uint8_t *_Nullable *_Nonnull bytes, size_t *count);
size_t cossl_hello_ciphers(SSL *ssl, const uint8_t *_Nullable *_Nonnull bytes);

// During COSSL_WANTS_CERTIFICATE:

/// 0 when OpenSSL does not take it, for example because of a key that is too small.
int cossl_use_certificate(SSL *ssl, cossl_certificate *certificate, const uint8_t *_Nullable ocsp, size_t ocsp_count);

// After the handshake:

/// Gives back memory that only the handshake needs.
void cossl_handshake_ended(SSL *ssl);
/// The protocol's number of the cipher suite (RFC 8446 §B.4).
int cossl_cipher(const SSL *ssl);
int cossl_is_resumed(const SSL *ssl);
size_t cossl_alpn(const SSL *ssl, const uint8_t *_Nullable *_Nonnull bytes);
/// To be freed with cossl_x509_free; NULL where the peer sent none.
X509 *_Nullable cossl_peer_certificate(const SSL *ssl);
long cossl_verify_result(const SSL *ssl);

/// Resumes a session; it stays the caller's.
void cossl_set_session(SSL *ssl, SSL_SESSION *session);
/// The session of a handshake of TLS 1.2 that resumed one, perhaps with a new ticket: OpenSSL reports none.
/// The reference is the caller's.
SSL_SESSION *_Nullable cossl_renewed_session(SSL *ssl);
void cossl_session_free(SSL_SESSION *_Nullable session);

// MARK: Records of TLS 1.3 (RFC 8446 §5)

enum { COSSL_AES_128_GCM = 0x1301, COSSL_AES_256_GCM = 0x1302, COSSL_CHACHA20_POLY1305 = 0x1303 };
enum { COSSL_TAG_BYTES = 16 };

/// One direction's keys.
typedef struct cossl_direction {
  uint8_t secret[COSSL_SECRET_BYTES_MAX];
  uint8_t key[32];
  uint8_t iv[12];
  uint64_t sequence;
} cossl_direction;

/// Keys of a connection: what the client sends, and what the server does. Overwritten before they are
/// freed.
typedef struct cossl_keys {
  cossl_direction client;
  cossl_direction server;
  /// Bytes of the traffic secrets that came from a handshake.
  uint8_t client_secret_count;
  uint8_t server_secret_count;
} cossl_keys;

cossl_keys *cossl_keys_new(void);
/// Makes keys of the secrets. 0 when they did not come, or the suite is not one of RFC 8446.
int cossl_keys_derive(cossl_keys *keys, int suite);
void cossl_keys_free(cossl_keys *_Nullable keys);
/// The next generation of a direction (RFC 8446 §7.2).
int cossl_keys_update(cossl_direction *direction, int suite);

/// A cipher that can be given one direction's key after another's.
EVP_CIPHER_CTX *_Nullable cossl_cipher_new(int suite);
void cossl_cipher_free(EVP_CIPHER_CTX *_Nullable cipher);
int cossl_cipher_set_key(EVP_CIPHER_CTX *cipher, const cossl_direction *direction, int seals);

/// Decrypts a record's content, `count` bytes with the tag, into `out`, which has room for `count` less
/// the tag. Returns the length of content, type and padding; negative when it is not authentic.
ssize_t cossl_open(
    EVP_CIPHER_CTX *cipher, cossl_direction *direction, const uint8_t *header5, const uint8_t *in, size_t count,
    uint8_t *out);
/// Appends a record with the content of `first` and `second` to the wire's `out`. 0 on failure.
int cossl_seal(
    EVP_CIPHER_CTX *cipher, cossl_direction *direction, uint8_t type, const uint8_t *first, size_t first_count,
    const uint8_t *_Nullable second, size_t second_count, cossl_wire *wire);

#ifdef __clang__
#pragma clang assume_nonnull end
#endif
