import Glibc

/// The end of a process of many threads.
public enum ProcessEnd {
  /// Ends the process at once, when all that has to be kept was written and closed.
  ///
  /// `exit` would run the handlers that libraries have registered (OpenSSL, c-ares, RE2, the C++ library) and destroy
  /// what is static, beside threads that still use it: a thread that has said that it is done has yet to free what it
  /// has of its own, others wait for something for as long as the process lives, and a worker that stalls goes on
  /// whenever it likes.
  public static func now(status: Int32) -> Never {
    // All streams: what was printed and is still in a buffer.
    fflush(nil)
    _exit(status)
  }
}
