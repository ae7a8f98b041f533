#include "CRE2.h"

#include <re2/re2.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <new>
#include <string>

struct cre2_regex {
  re2::RE2 re2;
  cre2_regex(const re2::StringPiece &pattern, const re2::RE2::Options &options) : re2(pattern, options) {}
};

namespace {

// A route's pattern is a few hundred bytes of program; RE2's own default is 8 MiB, too much to
// promise for each of 10,000 routes in every worker.
constexpr int64_t kMemoryMax = 1 << 20;

void Report(const char *message, size_t size, char *error, size_t error_size) noexcept {
  if (error == nullptr || error_size == 0) return;
  const size_t count = std::min(size, error_size - 1);
  std::memcpy(error, message, count);
  error[count] = '\0';
}

re2::RE2::Options MakeOptions(int flags) {
  re2::RE2::Options options(re2::RE2::Latin1);
  options.set_max_mem(kMemoryMax);
  options.set_log_errors(false);
  options.set_never_capture((flags & CRE2_GROUPS) == 0);
  options.set_case_sensitive((flags & CRE2_CASE_INSENSITIVE) == 0);
  return options;
}

}  // namespace

extern "C" cre2_regex *cre2_compile(const char *pattern, size_t pattern_size, int flags, char *error,
                                    size_t error_size) {
  static const char kOutOfMemory[] = "out of memory";
  try {
    auto *regex = new cre2_regex(re2::StringPiece(pattern, pattern_size), MakeOptions(flags));
    if (regex->re2.ok()) return regex;
    const std::string &message = regex->re2.error();
    Report(message.data(), message.size(), error, error_size);
    delete regex;
  } catch (...) {
    Report(kOutOfMemory, sizeof kOutOfMemory - 1, error, error_size);
  }
  return nullptr;
}

extern "C" int cre2_full_match(const cre2_regex *regex, const char *text, size_t text_size) {
  try {
    const re2::StringPiece piece(text, text_size);
    return regex->re2.Match(piece, 0, text_size, re2::RE2::ANCHOR_BOTH, nullptr, 0) ? 1 : 0;
  } catch (...) {
    return 0;
  }
}

extern "C" int cre2_group_count(const cre2_regex *regex) {
  return std::max(0, regex->re2.NumberOfCapturingGroups());
}

extern "C" int cre2_match_groups(const cre2_regex *regex, const char *text, size_t text_size, size_t from,
                                 int is_whole, int *bounds, int count) {
  try {
    if (count < 0 || count > CRE2_BOUNDS_MAX || text_size > INT_MAX || from > text_size) return 0;
    const re2::StringPiece piece(text, text_size);
    re2::StringPiece groups[CRE2_BOUNDS_MAX];
    // RE2 refuses to look for more groups than there are.
    const int known = std::min(count, regex->re2.NumberOfCapturingGroups() + 1);
    const auto anchor = is_whole ? re2::RE2::ANCHOR_BOTH : re2::RE2::UNANCHORED;
    if (!regex->re2.Match(piece, from, text_size, anchor, groups, known)) return 0;
    for (int index = 0; index < count; ++index) {
      const bool took_part = index < known && groups[index].data() != nullptr;
      bounds[2 * index] = took_part ? static_cast<int>(groups[index].data() - text) : -1;
      bounds[2 * index + 1] =
          took_part ? bounds[2 * index] + static_cast<int>(groups[index].size()) : -1;
    }
    return 1;
  } catch (...) {
    return 0;
  }
}

extern "C" int cre2_partial_match(const cre2_regex *regex, const char *text, size_t text_size) {
  try {
    const re2::StringPiece piece(text, text_size);
    return regex->re2.Match(piece, 0, text_size, re2::RE2::UNANCHORED, nullptr, 0) ? 1 : 0;
  } catch (...) {
    return 0;
  }
}

extern "C" void cre2_free(cre2_regex *regex) { delete regex; }
