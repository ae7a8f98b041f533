#define _GNU_SOURCE
#include "CCrypt.h"

#include <crypt.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(CCRYPT_OUTPUT_BYTES >= CRYPT_OUTPUT_SIZE, "the library's hashes do not fit");

int ccrypt_hash(const char *password, const char *setting, char *output) {
  // 32 KiB: too much for the stack of a thread that others size.
  struct crypt_data *data = calloc(1, sizeof *data);
  if (data == NULL) return -1;
  const char *hash = crypt_r(password, setting, data);
  // A failure is told of by a text that begins with `*`, so that it equals no hash.
  int result = hash == NULL || hash[0] == '*' ? -1 : 0;
  if (result == 0) memcpy(output, hash, strnlen(hash, CCRYPT_OUTPUT_BYTES - 1) + 1);
  output[CCRYPT_OUTPUT_BYTES - 1] = '\0';
  explicit_bzero(data, sizeof *data);
  free(data);
  return result;
}
