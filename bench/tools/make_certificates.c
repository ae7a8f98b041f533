// Makes many certificates: each with an ECDSA key (P-256) of its own, for one host, signed by one intermediate
// authority, as an ACME client gets them.
//
//   make_certificates FOLDER COUNT ALTERNATES THREADS
//
// Writes root.pem, intermediate.pem, domains.jsonl (COUNT lines) and alternates.jsonl (a second certificate and
// key for each of the first ALTERNATES hosts). A line is {"host": …, "certificate": PEM, "key": PEM}: the leaf
// alone; a chain is that and intermediate.pem.
#include <openssl/conf.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <pthread.h>

#include "common.h"

enum { THREADS_MAX = 64, COUNT_MAX = 1000000, DAYS_VALID = 90 };

// What a public authority's two signed certificate timestamps take (RFC 6962 section 3.3). Nobody here reads
// them; they are there so that a certificate is as large as those on the internet.
enum { TIMESTAMPS_BYTES = 242 };

struct authority {
  X509 *certificate;
  EVP_PKEY *key;
};

// One thread's part of a file.
struct part {
  pthread_t thread;
  const struct authority *signer;
  long first, count;
  char *text;
  size_t bytes;
};

static CONF *no_settings;  // OpenSSL's reader of policies insists on some

static void need(bool succeeded, const char *what) {
  if (!succeeded) fail("OpenSSL cannot %s", what);
}

static EVP_PKEY *make_key(void) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  need(key != NULL, "make a key");
  return key;
}

static void set_name(X509_NAME *name, const char *common_name) {
  need(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1, 0) == 1,
       "set a name");
}

static void add_extension(X509 *certificate, const X509 *issuer, int kind, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, (X509 *)issuer, certificate, NULL, NULL, 0);
  X509V3_set_nconf(&context, no_settings);
  X509_EXTENSION *extension = X509V3_EXT_nconf_nid(no_settings, &context, kind, value);
  need(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, "add an extension");
  X509_EXTENSION_free(extension);
}

static void add_timestamps(X509 *certificate) {
  unsigned char bytes[3 + TIMESTAMPS_BYTES] = {0x04, 0x81, TIMESTAMPS_BYTES};  // an OCTET STRING in DER
  RAND_bytes(bytes + 3, TIMESTAMPS_BYTES);
  ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
  need(value != NULL && ASN1_OCTET_STRING_set(value, bytes, sizeof bytes) == 1, "make an extension");
  X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, NID_ct_precert_scts, 0, value);
  need(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, "add an extension");
  X509_EXTENSION_free(extension);
  ASN1_OCTET_STRING_free(value);
}

// A certificate with everything but extensions and signature. `issuer` is NULL where it signs itself.
static X509 *begin_certificate(const char *common_name, EVP_PKEY *key, const X509 *issuer, long days) {
  X509 *certificate = X509_new();
  BIGNUM *serial = BN_new();
  need(certificate != NULL && serial != NULL && BN_rand(serial, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1,
       "make a certificate");
  BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate));
  BN_free(serial);
  X509_set_version(certificate, X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), days * 24 * 3600);
  set_name(X509_get_subject_name(certificate), common_name);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer != NULL ? issuer : certificate));
  need(X509_set_pubkey(certificate, key) == 1, "set a key");
  return certificate;
}

static struct authority make_authority(const char *name, const struct authority *parent, const char *constraints) {
  struct authority made = {.key = make_key()};
  made.certificate = begin_certificate(name, made.key, parent != NULL ? parent->certificate : NULL, 3650);
  const X509 *issuer = parent != NULL ? parent->certificate : made.certificate;
  add_extension(made.certificate, issuer, NID_basic_constraints, constraints);
  add_extension(made.certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(made.certificate, issuer, NID_subject_key_identifier, "hash");
  if (parent != NULL) add_extension(made.certificate, issuer, NID_authority_key_identifier, "keyid");
  need(X509_sign(made.certificate, parent != NULL ? parent->key : made.key, EVP_sha256()) > 0, "sign");
  return made;
}

static X509 *make_leaf(const char *host, EVP_PKEY *key, const struct authority *signer) {
  X509 *leaf = begin_certificate(host, key, signer->certificate, DAYS_VALID);
  char names[128];
  snprintf(names, sizeof names, "DNS:%s", host);
  add_extension(leaf, signer->certificate, NID_key_usage, "critical,digitalSignature");
  add_extension(leaf, signer->certificate, NID_ext_key_usage, "serverAuth");
  add_extension(leaf, signer->certificate, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(leaf, signer->certificate, NID_subject_key_identifier, "hash");
  add_extension(leaf, signer->certificate, NID_authority_key_identifier, "keyid");
  add_extension(leaf, signer->certificate, NID_info_access, "caIssuers;URI:http://issuer.example.com/");
  add_extension(leaf, signer->certificate, NID_subject_alt_name, names);
  add_extension(leaf, signer->certificate, NID_certificate_policies, "2.23.140.1.2.1");
  add_timestamps(leaf);
  need(X509_sign(leaf, signer->key, EVP_sha256()) > 0, "sign");
  return leaf;
}

// What is in `memory`, as the inside of a JSON string: PEM has nothing to escape but its line ends.
static void write_escaped(FILE *output, BIO *memory) {
  char *text;
  long bytes = BIO_get_mem_data(memory, &text);
  for (long index = 0; index < bytes; index++) {
    if (text[index] == '\n') fputs("\\n", output);
    else fputc(text[index], output);
  }
  (void)BIO_reset(memory);
}

static void *make_part(void *argument) {
  struct part *part = argument;
  FILE *output = open_memstream(&part->text, &part->bytes);
  BIO *memory = BIO_new(BIO_s_mem());
  need(output != NULL && memory != NULL, "get memory");
  for (long number = part->first; number < part->first + part->count; number++) {
    char host[64];
    snprintf(host, sizeof host, "d%06ld.example.com", number);
    EVP_PKEY *key = make_key();
    X509 *leaf = make_leaf(host, key, part->signer);
    fprintf(output, "{\"host\": \"%s\", \"certificate\": \"", host);
    need(PEM_write_bio_X509(memory, leaf) == 1, "write a certificate");
    write_escaped(output, memory);
    fputs("\", \"key\": \"", output);
    need(PEM_write_bio_PKCS8PrivateKey(memory, key, NULL, NULL, 0, NULL, NULL) == 1, "write a key");
    write_escaped(output, memory);
    fputs("\"}\n", output);
    X509_free(leaf);
    EVP_PKEY_free(key);
  }
  BIO_free(memory);
  fclose(output);
  return NULL;
}

static FILE *create(const char *folder, const char *name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "w");
  if (file == NULL) fail("%s: %s", path, strerror(errno));
  return file;
}

static void finish(FILE *file) {
  if (ferror(file) != 0 || fclose(file) != 0) fail("cannot write: %s", strerror(errno));
}

static void write_leaves(const char *folder, const char *name, const struct authority *signer, long count,
                         long threads) {
  struct part parts[THREADS_MAX] = {0};
  FILE *file = create(folder, name);
  for (long index = 0; index < threads; index++) {
    long first = count * index / threads;
    parts[index] = (struct part){
        .signer = signer, .first = first, .count = count * (index + 1) / threads - first};
    if (pthread_create(&parts[index].thread, NULL, make_part, &parts[index]) != 0) fail("no thread");
  }
  for (long index = 0; index < threads; index++) {
    pthread_join(parts[index].thread, NULL);
    fwrite(parts[index].text, 1, parts[index].bytes, file);
    free(parts[index].text);
  }
  finish(file);
}

static void write_authority(const char *folder, const char *name, const struct authority *authority) {
  FILE *file = create(folder, name);
  need(PEM_write_X509(file, authority->certificate) == 1, "write a certificate");
  finish(file);
}

int main(int count, char **arguments) {
  if (count != 5) fail("usage: %s FOLDER COUNT ALTERNATES THREADS", arguments[0]);
  long domains = number_argument(arguments[2], "COUNT", 1, COUNT_MAX);
  long alternates = number_argument(arguments[3], "ALTERNATES", 0, domains);
  long threads = number_argument(arguments[4], "THREADS", 1, THREADS_MAX);
  no_settings = NCONF_new(NULL);
  struct authority root = make_authority("Scale root", NULL, "critical,CA:TRUE");
  struct authority intermediate = make_authority("Scale intermediate", &root, "critical,CA:TRUE,pathlen:0");
  write_authority(arguments[1], "root.pem", &root);
  write_authority(arguments[1], "intermediate.pem", &intermediate);
  write_leaves(arguments[1], "alternates.jsonl", &intermediate, alternates, threads);
  write_leaves(arguments[1], "domains.jsonl", &intermediate, domains, threads);
  return 0;
}
