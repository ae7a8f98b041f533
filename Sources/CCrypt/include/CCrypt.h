#pragma once

#include <stddef.h>

/// Bytes that a hash and its NUL may take.
enum { CCRYPT_OUTPUT_BYTES = 384 };

/// Hashes a password as `setting` says, which may be a whole hash (crypt(3)); both end in NUL. Takes as long
/// as the setting asks for. From any thread.
///
/// Returns 0, with the hash and its NUL in `output`; or -1 where the setting is not one, or is of a kind that the
/// library does not have.
int ccrypt_hash(const char *_Nonnull password, const char *_Nonnull setting, char *_Nonnull output);
