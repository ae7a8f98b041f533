#pragma once

#include <stddef.h>

// RE2 for Swift: patterns are matched in time linear in the text, so that whoever writes them
// cannot stall a worker. Nothing throws across this boundary.
//
// Text and pattern are Latin-1 for RE2: one byte is one character. What a request carries is
// bytes, not necessarily UTF-8, and every byte has to be matchable; callers refuse patterns that
// are not ASCII, so that nobody meets half a character in a class.

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cre2_regex cre2_regex;

enum { CRE2_CASE_INSENSITIVE = 1 };

// Compiles `pattern`; null on failure, with RE2's message in `error` (NUL-terminated, cut to
// `error_size`). One regex holds at most 1 MiB, caches of its automaton included; RE2 refuses a
// pattern that does not fit.
cre2_regex *cre2_compile(const char *pattern, size_t pattern_size, int flags, char *error, size_t error_size);

// 1 where the whole text matches, 0 where it does not, or where memory ran out. Thread-safe, but
// threads that share a regex share the lock of its cache.
int cre2_full_match(const cre2_regex *regex, const char *text, size_t text_size);

// Accepts null.
void cre2_free(cre2_regex *regex);

#ifdef __cplusplus
}
#endif
