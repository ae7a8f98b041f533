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

// Groups cost memory and time: a pattern has them only with CRE2_GROUPS.
enum { CRE2_CASE_INSENSITIVE = 1, CRE2_GROUPS = 2 };

// Compiles `pattern`; null on failure, with RE2's message in `error` (NUL-terminated, cut to
// `error_size`). One regex holds at most 1 MiB, caches of its automaton included; RE2 refuses a
// pattern that does not fit.
cre2_regex *cre2_compile(const char *pattern, size_t pattern_size, int flags, char *error, size_t error_size);

// 1 where the whole text matches, 0 where it does not, or where memory ran out. Thread-safe, but
// threads that share a regex share the lock of its cache.
int cre2_full_match(const cre2_regex *regex, const char *text, size_t text_size);

// The number of groups of a pattern that was compiled with CRE2_GROUPS; 0 without.
int cre2_group_count(const cre2_regex *regex);

// 1 where the pattern is found at `from` or behind it, or, with `is_whole`, where it is the whole text. Then
// `bounds` has where the first `count` groups begin and end, two numbers each, what was found first; -1 and -1 for
// a group that took no part, or does not exist. `bounds` has room for 2 * `count` numbers, and `count` is at most
// CRE2_BOUNDS_MAX. As cre2_full_match otherwise.
enum { CRE2_BOUNDS_MAX = 32 };
int cre2_match_groups(const cre2_regex *regex, const char *text, size_t text_size, size_t from, int is_whole,
                      int *bounds, int count);

// 1 where the pattern is found anywhere in the text. As cre2_full_match otherwise.
int cre2_partial_match(const cre2_regex *regex, const char *text, size_t text_size);

// Accepts null.
void cre2_free(cre2_regex *regex);

#ifdef __cplusplus
}
#endif
